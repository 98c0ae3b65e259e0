import assert from 'node:assert/strict'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { isDocument, isMap, parseAllDocuments, type Document } from 'yaml'
import { helm, type Helm } from '../support/helm.ts'

export const root = join(import.meta.dirname, '..', '..')

/**
 * All that is rendered from the chart and kept in version control, by its path: each case of `cases`
 * and each example, to be reviewed, and the plain manifests of `k8s`.
 */
export async function rendered(by: Helm): Promise<ReadonlyMap<string, string>> {
  using charts = await copyOfCharts(by)
  const { crm, beside, lockstep } = charts
  const example = await render(by, crm)
  const files = new Map<string, string>()
  for (const path of globSync('test/chart/cases/*.yaml', { cwd: root }).toSorted()) {
    files.set(snapshotOf(basename(path)), await render(by, lockstep, ['-f', join(root, path)]))
  }
  files.set(snapshotOf('example-crm.yaml'), example)
  files.set(
    snapshotOf('example-beside.yaml'),
    [
      await render(by, lockstep, [
        '-f',
        join(beside, 'schema.yaml'),
        '-f',
        join(beside, 'release.yaml'),
      ]),
      await render(by, join(beside, 'backend'), ['-f', join(beside, 'release.yaml')]),
    ].join(''),
  )
  const once = ['--set', 'lockstep.job.args={status}', '-s', 'charts/lockstep/templates/once.yaml']
  const others = await render(by, crm, once)
  for (const [name, text] of plain(example, others)) files.set(`k8s/${name}`, text)
  return files
}

const snapshotOf = (name: string): string => `test/chart/rendered/${name}`

export interface Charts {
  readonly lockstep: string
  readonly crm: string
  readonly beside: string
}

/** The charts in a folder of their own, where the example has its dependency packed. */
export async function copyOfCharts(by: Helm): Promise<Charts & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-chart-'))
  cpSync(join(root, 'helm'), folder, { recursive: true })
  const crm = join(folder, 'examples', 'crm')
  const built = await helm(by, ['dependency', 'update', crm])
  assert.equal(built.exit, 0, built.stderr)
  return {
    lockstep: join(folder, 'lockstep'),
    crm,
    beside: join(folder, 'examples', 'beside'),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

async function render(by: Helm, chart: string, more: readonly string[] = []): Promise<string> {
  const said = await helm(by, ['template', 'crm', chart, '-n', 'shop', ...more])
  assert.equal(said.exit, 0, said.stderr)
  // Helm 4 leaves other empty lines than Helm 3.
  return `${said.stdout.replaceAll(/\n{2,}(?=---|$)/g, '\n').trim()}\n`
}

/** The objects of the first example as they are without Helm, each where one would look for it. */
function plain(example: string, once: string): ReadonlyMap<string, string> {
  const objects = documents(example)
  const onceObjects = documents(once)
  for (const object of [...objects, ...onceObjects]) withoutHelm(object)
  return new Map([
    ['backend.yaml', textOf(objects.filter(isOfBackend))],
    ['job.yaml', textOf(objects.filter(isJob))],
    ['rbac.yaml', textOf(objects.filter((object) => !isOfBackend(object) && !isJob(object)))],
    ['once.yaml', textOf(onceObjects)],
  ])
}

const isOfBackend = (object: Document): boolean => object.getIn(['metadata', 'name']) === 'crm'
const isJob = (object: Document): boolean => object.get('kind') === 'Job'

function documents(text: string): Document[] {
  return parseAllDocuments(text).filter((document) => isDocument(document))
}

function withoutHelm(object: Document): void {
  if (object.contents !== null) object.contents.commentBefore = null
  for (const part of ['labels', 'annotations']) {
    const map = object.getIn(['metadata', part])
    if (!isMap(map)) continue
    map.items = map.items.filter(({ key }) => !isOfHelm(String(key)))
    if (map.items.length === 0) object.deleteIn(['metadata', part])
  }
}

function isOfHelm(key: string): boolean {
  return key.startsWith('helm.sh/') || key === 'app.kubernetes.io/managed-by'
}

const head = '# Rendered from helm/examples/crm by `make manifests`; change it there.\n'

function textOf(objects: readonly Document[]): string {
  const texts = objects.map((object) =>
    object.toString({ lineWidth: 0, directives: false, flowCollectionPadding: false }).trim(),
  )
  return `${head}${texts.join('\n---\n')}\n`
}

export const kept = (path: string): string => readFileSync(join(root, path), 'utf8')
