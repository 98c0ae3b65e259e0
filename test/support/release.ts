import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { copyOfCharts, root, type Charts } from '../chart/rendered.ts'
import { helm, type Helm, type HelmSaid } from './helm.ts'
import { tryKubectl, until } from './kubectl.ts'
import { images } from './manifests.ts'
import { endOf, type Pod, type Space } from './space.ts'

/** Helm in a namespace, with the charts of this repository. */
export interface HelmHere extends Disposable {
  readonly charts: Charts
  run(...args: string[]): Promise<HelmSaid>
  /** @throws {Error} with what Helm said, where it fails */
  must(...args: string[]): Promise<HelmSaid>
}

export async function helmIn(space: Space, by: Helm): Promise<HelmHere> {
  const charts = await copyOfCharts(by)
  const env = { KUBECONFIG: process.env['KUBECONFIG'] }
  const run = (...args: string[]): Promise<HelmSaid> =>
    helm(by, [...args, '--namespace', space.name], env)
  return {
    charts,
    run,
    must: async (...args) => {
      const said = await run(...args)
      if (said.exit !== 0) throw new Error(`helm ${args.join(' ')}: ${said.stdout}${said.stderr}`)
      return said
    },
    [Symbol.dispose]: () => charts[Symbol.dispose](),
  }
}

/** The files of a release, and of the next one. */
export const first = { '0001_users.sql': 'create table users (id int);' }
export const second = { ...first, '0002_mail.sql': 'alter table users add mail text;' }

/** `registry/name:tag` in two. */
export function inTwo(image: string): { readonly repository: string; readonly tag: string } {
  const colon = image.lastIndexOf(':')
  return { repository: image.slice(0, colon), tag: image.slice(colon + 1) }
}

/** What the chart `crm` is told to run with the worked example. */
export function ofExample(...more: string[]): string[] {
  return crmValues(images.example, more)
}

/** What the chart `crm` is told for a release whose SQL files are in the ConfigMap of this name. */
export function ofFiles(name: string, ...more: string[]): string[] {
  return crmValues(images.plain, [`lockstep.migrations.configMap=${name}`, ...more])
}

function crmValues(image: string, more: readonly string[]): string[] {
  const { repository, tag } = inTwo(image)
  const values = [
    `global.tag=${tag}`,
    `image.repository=${repository}`,
    `lockstep.image.repository=${repository}`,
    'lockstep.database.existingSecret=database',
    'replicas=1',
    ...more,
  ]
  return ['--set', values.join(',')]
}

/** The same for the chart of Lockstep alone. */
export function alone(image: string, ...more: string[]): string[] {
  const { repository, tag } = inTwo(image)
  const own = [`image.repository=${repository}`, `image.tag=${tag}`]
  return ['--set', [...own, 'database.existingSecret=database', ...more].join(',')]
}

/** What the image with the worked example holds. */
export const example = exampleIn('sql')

function exampleIn(folder: string): { readonly files: number; readonly version: string } {
  const files = readdirSync(join(root, folder))
    .filter((name) => /^\d/.test(name))
    .toSorted()
  return { files: files.length, version: files.at(-1)?.split('_')[0] ?? '' }
}

export const backend = 'app.kubernetes.io/component=backend'
export const jobPods = 'app.kubernetes.io/component=migration'
export const gate = 'lockstep-gate'

/** `succeeded 0016`: the state and the version of the published status. */
export async function statusOf(space: Space, name = 'crm-lockstep'): Promise<string> {
  const path = 'jsonpath={.data.state} {.data.version}'
  return await space.kubectl('get', `configmap/${name}`, '-o', path)
}

/** Pods of the backend that nobody has told to end. */
export async function stayingPods(space: Space): Promise<readonly Pod[]> {
  const pods = await space.pods(backend)
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
}

/** The log of the gate of the one pod that is left when a rollout is done. */
export async function gateLog(space: Space): Promise<string> {
  await space.kubectl('rollout', 'status', 'deployment/crm', '--timeout=60s')
  const [pod, ...others] = await stayingPods(space)
  if (pod === undefined || others.length > 0) throw new Error('not one pod is left')
  if (endOf(pod, gate)?.exitCode !== 0) throw new Error('its gate has not opened')
  return await space.log(`pod/${pod.metadata.name}`, gate)
}

/** A pod that is not among those that were there. */
export async function newPod(space: Space, known: readonly string[]): Promise<string> {
  return await until('new pod', async () => {
    const pods = await stayingPods(space)
    return pods.map(({ metadata }) => metadata.name).find((name) => !known.includes(name))
  })
}

/** What the Jobs of a component have said so far, whatever their names; nothing while none has begun. */
export async function wholeLog(space: Space, component = 'migration'): Promise<string> {
  const logs = ['logs', '-l', `app.kubernetes.io/component=${component}`]
  const whole = ['--tail=-1', '-c', 'lockstep', '--namespace', space.name]
  return (await tryKubectl([...logs, ...whole])).stdout
}
