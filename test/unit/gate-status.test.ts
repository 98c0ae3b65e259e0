import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readGateConfig } from '../../src/gate-config.ts'
import type { Outcome, Tell } from '../../src/events.ts'
import { wait } from '../../src/wait.ts'
import { startApiServer } from '../support/api-server.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, startProgram, type Ran } from '../support/program.ts'
import { statusText, volume } from '../support/status.ts'

const two = {
  '0001_a.sql': 'create table a ();\n',
  '0002_b.sql': 'create table b ();\n',
}

type Env = Readonly<Record<string, string>>

/** The gate as it is shipped. */
function gate(from: string, env: Env, ...args: string[]): Ran | Promise<Ran> {
  return runProgram({ form: 'bundle', args: ['wait', '--from', from, ...args], env })
}

test('it opens at once where all is applied, whatever the run before says', async () => {
  using dir = folderOf(two)
  using mounted = volume()
  const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
  for (const state of ['succeeded', 'running', 'failed', 'interrupted'] as const) {
    mounted.put({ 'status.json': await statusText(dir.path, { state, exit: 1 }) })
    const ran = await gate('file', env)
    assertSucceeded(ran, /^done +ready: all 2 files of this image are applied, in /m)
    assert.doesNotMatch(ran.stdout, /^waiting/m)
  }
})

/** The gate in this process, where nothing else takes time. */
function waitHere(env: Env, tell: Tell): Promise<Outcome> {
  const run = { id: 'cafe0123', pod: 'test', isAttended: true }
  const never = new AbortController().signal
  return wait(readGateConfig(env, undefined), undefined, run, tell, never)
}

test('it is open within 100 ms after the links of a mounted ConfigMap were swapped', async () => {
  using dir = folderOf(two)
  const text = await statusText(dir.path)
  const tookMs: number[] = []
  for (let round = 0; round < 5; round += 1) {
    using mounted = volume()
    const { promise: waits, resolve } = Promise.withResolvers<void>()
    const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
    const opened = waitHere(env, ({ checkpoint }) => checkpoint === 'waiting' && resolve())
    await waits
    // Until it rests, with its watch.
    await new Promise((passed) => setTimeout(passed, 20))
    const beganMs = performance.now()
    mounted.put({ 'status.json': text })
    await opened
    tookMs.push(performance.now() - beganMs)
  }
  // On a busy machine the others may take longer; without the watch none would be so quick.
  const [, second = Infinity] = tookMs.toSorted((a, b) => a - b)
  assert.ok(second < 100, tookMs.map((ms) => ms.toFixed(0)).join(', '))
})

test('what has changed between the first look and the watch is seen at once', async () => {
  using dir = folderOf(two)
  const text = await statusText(dir.path)
  const tookMs: number[] = []
  for (let round = 0; round < 5; round += 1) {
    using mounted = volume()
    const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
    const { promise, resolve } = Promise.withResolvers<number>()
    const opened = waitHere(env, ({ checkpoint }) => {
      if (checkpoint !== 'waiting') return
      mounted.put({ 'status.json': text })
      resolve(performance.now())
    })
    const beganMs = await promise
    await opened
    tookMs.push(performance.now() - beganMs)
  }
  // The next look would be 250 ms later at least.
  assert.ok(Math.min(...tookMs) < 200, tookMs.map((ms) => ms.toFixed(0)).join(', '))
})

test('a change that opens nothing is looked at once, and then it rests again', async () => {
  using dir = folderOf(two)
  using mounted = volume()
  const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
  const waits = Promise.withResolvers<void>()
  const isSeen = Promise.withResolvers<void>()
  const opened = waitHere(env, (event) => {
    if (event.checkpoint !== 'waiting') return
    waits.resolve()
    if (event.reason.includes('no status in it')) isSeen.resolve()
  })
  await waits.promise
  // Until it rests, with its watch.
  await new Promise((passed) => setTimeout(passed, 20))
  mounted.put({ 'status.json': '' })
  await isSeen.promise
  const before = process.cpuUsage()
  await new Promise((passed) => setTimeout(passed, 400))
  const { user, system } = process.cpuUsage(before)
  mounted.put({ 'status.json': await statusText(dir.path) })
  await opened
  assert.ok(user + system < 150_000, `${user + system} µs of 400 ms`)
})

test('it waits for a folder that is not there yet, and hears a signal meanwhile', async () => {
  using dir = folderOf(two)
  const status = join(dir.path, 'later', 'status.json')
  const running = startProgram({
    form: 'bundle',
    args: ['wait', '--from', 'file'],
    env: { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${status}` },
  })
  await running.says(`there is no file:${status} yet`)
  running.child.kill('SIGTERM')
  assertFailed(await running.ran, 75, 'INTERRUPTED')
})

test('it tells what is missing, at each heartbeat, and at its end what to do', async () => {
  using dir = folderOf(two)
  using mounted = volume()
  mounted.put({
    'status.json': await statusText(dir.path, { without: ['0002_b.sql'], state: 'running' }),
  })
  const ran = await gate('file', {
    LOCKSTEP_DIR: dir.path,
    LOCKSTEP_STATUS: `file:${mounted.file}`,
    LOCKSTEP_GATE_WAIT: '1200ms',
    LOCKSTEP_HEARTBEAT: '300ms',
  })
  const says = 'this image needs 0002_b.sql; run cafe0123 has been under way for'
  assertFailed(ran, 75, 'GATE_WAIT_OVER', says, /; waited for 1\.\d s/, 'lockstep status')
  const beats = ran.stdout.match(/^waiting +this image needs 0002_b\.sql/gm)?.length ?? 0
  assert.ok(beats >= 3 && beats <= 5, ran.stdout)
})

// A case: what the file holds, and what is said of it; the gate stays shut.
for (const [what, edit, says] of [
  ['garbage', () => 'x', 'is not believed: it is not JSON'],
  ['nothing', () => '', 'is not believed: there is no status in it'],
  ['another format', (text: string) => text.replace('"1.0"', '"2.0"'), 'it has format 2.0'],
  ['an edited state', (text: string) => text.replace('succeeded', 'fine'), 'its field state'],
  ['a forged meaning', (text: string) => text.replace(/[0-9a-f]{16}/, '*'), 'its field database'],
] as const) {
  test(`a file of ${what} keeps it shut, with one clear line`, async () => {
    using dir = folderOf(two)
    using mounted = volume()
    mounted.put({ 'status.json': edit(await statusText(dir.path)) })
    const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
    const ran = await gate('file', { ...env, LOCKSTEP_GATE_WAIT: '1s' })
    assertFailed(ran, 75, 'GATE_WAIT_OVER', `file:${mounted.file}`, says)
    assert.equal(ran.stdout.match(/^waiting/gm)?.length, 1, ran.stdout)
  })
}

function ago(ms: number): string {
  return new Date(Date.now() - ms).toISOString()
}

test('of several --from the last counts, and --help is there for each', async () => {
  using dir = folderOf(two)
  using mounted = volume()
  mounted.put({ 'status.json': await statusText(dir.path) })
  const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
  assertFailed(await gate('file', env, '--from=database'), 64, 'CONFIG_INVALID', 'DATABASE_URL')
  assertSucceeded(await gate('database', env, '--from=file'), /^done +ready/m)
  assertSucceeded(await gate('file', env, '--help'), 'lockstep wait')
})

test('a failure of the same files ends it, unless somebody may still try again', async () => {
  using dir = folderOf(two)
  using mounted = volume()
  const failure = {
    without: ['0002_b.sql'],
    state: 'failed',
    exit: 1,
    error: 'SQL_FAILED',
  } as const
  const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
  const put = async (more: object): Promise<void> =>
    mounted.put({ 'status.json': await statusText(dir.path, { ...failure, ...more }) })

  await put({ finished: ago(61_000), reason: '0002_b.sql:1:1 no' })
  const says = 'run cafe0123 of the same files failed with SQL_FAILED (0002_b.sql:1:1 no)'
  assertFailed(await gate('file', env), 1, 'SAME_FILES_FAILED', says, 'not applied: 0002_b.sql')

  await put({ finished: ago(20_000) })
  const shut = { ...env, LOCKSTEP_GATE_WAIT: '100ms' }
  assertFailed(await gate('file', shut), 75, 'GATE_WAIT_OVER', 'ended with SQL_FAILED 20 s ago')
  await put({ finished: ago(61_000), set: 'f'.repeat(64) })
  assertFailed(await gate('file', shut), 75, 'GATE_WAIT_OVER', 'of another image ended with')
  await put({ finished: ago(61_000), phase: 'after-rollout' })
  assertFailed(await gate('file', shut), 75, 'GATE_WAIT_OVER')
})

test('an image without files says what it waits for, or is told to', async () => {
  using dir = folderOf(two)
  using empty = folderOf({})
  using mounted = volume()
  mounted.put({ 'status.json': await statusText(dir.path) })
  const env = { LOCKSTEP_DIR: empty.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
  const how = 'an image without SQL files says what it needs: lockstep wait --version 0042'
  assertFailed(await gate('file', env), 64, 'FOLDER_EMPTY', how)
  const nowhere = { ...env, LOCKSTEP_DIR: join(empty.path, 'x') }
  assertFailed(await gate('file', nowhere), 64, 'FOLDER_UNREADABLE', how)
  assertSucceeded(await gate('file', nowhere, '--version', '1'), /ready: .* ahead by 1 file,/)
  const later = await gate('file', { ...env, LOCKSTEP_GATE_WAIT: '0s' }, '--version', '3')
  assertFailed(later, 75, 'GATE_WAIT_OVER', 'this image needs version 3')
})

test(
  'a file that may not be read ends it',
  { skip: process.getuid?.() === 0 && 'root may read all' },
  async () => {
    using dir = folderOf(two)
    using mounted = volume()
    mounted.put({ 'status.json': '' })
    chmodSync(mounted.file, 0)
    const env = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${mounted.file}` }
    assertFailed(await gate('file', env), 64, 'STATUS_UNREADABLE', 'permission denied')
  },
)

test('from a ConfigMap: it waits until there is one, and through what is wrong for a moment', async () => {
  await using api = await startApiServer()
  using dir = folderOf(two)
  const running = startProgram({
    form: 'bundle',
    args: ['wait'],
    env: {
      LOCKSTEP_DIR: dir.path,
      LOCKSTEP_STATUS: 'configmap/crm',
      KUBECONFIG: api.kubeconfig,
    },
  })
  await running.says('there is no configmap/crm in shop yet')
  api.mischief = () => ({ status: 503 })
  await running.says('the API server answers 503')
  api.mischief = () => 'cut'
  await running.says('cannot be reached: the connection was cut')
  api.maps.set('shop/crm', { state: 'succeeded' })
  api.mischief = () => undefined
  await running.says('configmap/crm in shop is not believed: there is no status in it')
  api.maps.set('shop/crm', { 'status.json': await statusText(dir.path) })
  assertSucceeded(await running.ran, /^done +ready: all 2 files/m)
  assert.ok(api.asked.every(({ method }) => method === 'GET'))
})

// A case: what a pod lacks, and what it is told at once.
for (const [what, env, says] of [
  ['a Role', {}, 'system:serviceaccount:shop:backend may not get configmap/crm in shop (403)'],
  [
    'a token',
    { KUBECONFIG: '', KUBERNETES_SERVICE_HOST: '127.0.0.1', LOCKSTEP_LOG_FORMAT: 'pretty' },
    'no token is mounted',
  ],
  ['a cluster', { KUBECONFIG: '' }, 'this is no pod, and there is no KUBECONFIG'],
] as const) {
  test(`from a ConfigMap: a pod without ${what} is told so, and does not wait`, async () => {
    await using api = await startApiServer()
    using dir = folderOf(two)
    api.mischief = () => ({
      status: 403,
      message: 'User "system:serviceaccount:shop:backend" cannot get resource "configmaps"',
    })
    const asked = { LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: 'configmap/crm' }
    const ran = await gate('configmap', { KUBECONFIG: api.kubeconfig, ...asked, ...env })
    assertFailed(ran, 64, 'STATUS_UNREADABLE', says)
  })
}
