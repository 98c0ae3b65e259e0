import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { variables } from '../../src/config.ts'
import { failures } from '../../src/errors.ts'
import { readValues, withValues } from '../chart/readme.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const values = read('helm/lockstep/values.yaml')

interface Schema {
  readonly type?: unknown
  readonly additionalProperties?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
}

const schema: Schema = JSON.parse(read('helm/lockstep/values.schema.json'))

/** The paths of a closed schema, down to what holds objects of Kubernetes or of the user. */
function leaves({ properties }: Schema, path: readonly string[] = []): string[] {
  return Object.entries(properties ?? {}).flatMap(([name, value]) => {
    const here = [...path, name]
    return value.properties === undefined || isLeaf.has(here.join('.'))
      ? [here.join('.')]
      : leaves(value, here)
  })
}

const isLeaf = new Set(['settings', 'resources', 'gate.resources'])

test('every value is documented, and in the schema', () => {
  const told = readValues(values)
  assert.ok(told.length > 50)
  assert.deepEqual(
    told.filter(({ comment }) => !comment.endsWith('.')),
    [],
  )
  assert.deepEqual(told.map(({ path }) => path).toSorted(), leaves(schema).toSorted())
})

test('the objects of the schema are closed', () => {
  const open = (at: Schema, path: string): string[] => [
    ...(at.properties !== undefined && at.additionalProperties !== false ? [path] : []),
    ...Object.entries(at.properties ?? {}).flatMap(([name, below]) =>
      open(below, `${path}.${name}`),
    ),
  ]
  assert.deepEqual(open(schema, 'values'), [])
})

test('the README of the chart has the table of the values', () => {
  const readme = read('helm/lockstep/README.md')
  assert.equal(withValues(readme, values), readme, 'make manifests writes it')
  assert.match(readme, /^\| `image\.tag` \| `""` \|/m)
})

/** What the chart sets by itself, from other values. */
const ownVariables = new Set([
  'LOCKSTEP_DEADLINE',
  'LOCKSTEP_DIR',
  'LOCKSTEP_GATE_WAIT',
  'LOCKSTEP_PHASE',
  'LOCKSTEP_ROLLOUT',
  'LOCKSTEP_ROLLOUT_SET',
  'LOCKSTEP_ROLLOUT_WAIT',
  'LOCKSTEP_STATUS',
  'LOCKSTEP_STATUS_REQUIRED',
])

test('settings of the chart are the variables of the program that it does not set by itself', () => {
  const settings = Object.keys(schema.properties?.['settings']?.properties ?? {})
  const theirs = Object.keys(variables).filter((name) => !ownVariables.has(name))
  assert.deepEqual(settings.toSorted(), theirs.toSorted(), 'see settings in values.schema.json')
})

const jobs = globSync(['k8s/*.yaml', 'test/chart/rendered/*.yaml'], { cwd: root }).flatMap((path) =>
  parseAllDocuments(read(path))
    .map((document) => document.toJS())
    .filter((object) => object?.kind === 'Job')
    .map((job) => ({ path, job })),
)

test('each Job fails at once on the exit codes after which no retry helps, and on no other', () => {
  const lasting = Object.values(failures)
    .map(({ exit }) => exit)
    .filter((exit) => exit !== 75)
  const codes = [...new Set<number>(lasting)].toSorted((a, b) => a - b)
  assert.ok(jobs.length > 8)
  for (const { path, job } of jobs) {
    const [fail, ignore, ...others] = job.spec.podFailurePolicy.rules
    assert.deepEqual(
      fail,
      {
        action: 'FailJob',
        onExitCodes: { containerName: 'lockstep', operator: 'In', values: codes },
      },
      path,
    )
    assert.deepEqual(ignore, {
      action: 'Ignore',
      onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }],
    })
    assert.deepEqual(others, [])
    // Without this the policy would be refused, and a pod could overlap with the one before.
    assert.equal(job.spec.template.spec.restartPolicy, 'Never')
    assert.equal(job.spec.podReplacementPolicy, 'Failed')
  }
})

test('each Job ends itself before it is ended', () => {
  for (const { path, job } of jobs) {
    const { activeDeadlineSeconds, template } = job.spec
    const [container] = template.spec.containers
    const env = new Map<string, string>(
      container.env.map((one: { name: string; value: string }) => [one.name, one.value]),
    )
    const own = Number.parseInt(env.get('LOCKSTEP_DEADLINE') ?? '', 10)
    assert.equal(own, activeDeadlineSeconds - template.spec.terminationGracePeriodSeconds, path)
    assert.ok(own > 0)
    assert.match(env.get('LOCKSTEP_PHASE') ?? '', /^(before-rollout|after-rollout|all)$/)
  }
})

test('k8s/kustomization.yaml applies every file but the Job with other arguments', () => {
  const { resources }: { resources: readonly string[] } = parse(read('k8s/kustomization.yaml'))
  const files = globSync('k8s/*.yaml', { cwd: root }).map((path) => basename(path))
  const others = ['kustomization.yaml', 'once.yaml']
  assert.deepEqual([...resources, ...others].toSorted(), files.toSorted())
})
