import assert from 'node:assert/strict'
import { parseAllDocuments } from 'yaml'
import { helm, type Helm, type HelmSaid } from '../support/helm.ts'

export const lockstep = 'helm/lockstep'
/** The values of the plainest use. */
export const hook = ['-f', 'test/chart/cases/hook.yaml']

/** As much of an object as tests look at. */
interface KubernetesObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: { readonly template?: { readonly metadata: object; readonly spec: PodSpec } }
}

interface PodSpec {
  readonly volumes?: readonly object[]
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
}

interface Container {
  readonly args?: readonly string[]
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly volumeMounts?: readonly object[]
}

/** The objects of a text without an error in its YAML, such as a key that is there twice. */
export function objectsIn(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    assert.deepEqual(document.errors, [])
    return document.toJS() ?? []
  })
}

export const namesIn = (text: string): readonly string[] =>
  objectsIn(text).map(({ kind, metadata }) => `${kind} ${metadata.name}`)

export function template(by: Helm, ...args: readonly string[]): Promise<HelmSaid> {
  return helm(by, ['template', 'crm', lockstep, ...args])
}

export async function rendering(by: Helm, ...args: readonly string[]): Promise<string> {
  const said = await template(by, ...args)
  assert.equal(said.exit, 0, said.stderr)
  return said.stdout
}
