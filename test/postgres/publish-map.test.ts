import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPublished } from '../../src/published.ts'
import { startApiServer, type ApiServer, type Mischief } from '../support/api-server.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram, type Ran } from '../support/program.ts'
import { until } from '../support/until.ts'

const two = {
  '0001_people.sql': 'create table people (id int primary key);\n',
  '0002_fill.sql': 'insert into people values (1);\n',
}

/** The program as it is shipped, with a status in the ConfigMap `crm`. */
function migrate(
  db: Database,
  { kubeconfig }: ApiServer,
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = two,
): Promise<Ran> {
  return migrateFiles(db, files, {
    LOCKSTEP_STATUS: 'configmap/crm',
    KUBECONFIG: kubeconfig,
    ...env,
  })
}

/** State and highest version, as the ConfigMap tells them. */
function told({ maps }: ApiServer): string {
  const { state, version, 'status.json': text = '' } = maps.get('shop/crm') ?? {}
  const read = readPublished(text)
  if (typeof read === 'string') return read
  assert.deepEqual([read.state, read.version], [state, version])
  return `${state} ${version}`
}

test('a run publishes, and one with nothing to do asks once and writes nothing', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  assertSucceeded(await migrate(db, api), /^published +configmap\/crm in shop: succeeded, 0002$/m)
  assert.equal(told(api), 'succeeded 0002')
  const before = api.asked.length
  assertSucceeded(await migrate(db, api), 'nothing to do')
  assert.deepEqual(
    api.asked.slice(before).map(({ method }) => method),
    ['GET'],
  )
})

/** How many questions of a kind have come. */
function askedBy(method: string, { asked }: ApiServer): number {
  return asked.filter((question) => question.method === method).length
}

test('while files are applied it is looked at once, and written every two seconds at most', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  const slow = Array.from({ length: 12 }, (_, at) => [`${at + 1}_slow.sql`, 'select pg_sleep(0.2)'])
  const begunMs = performance.now()
  assertSucceeded(await migrate(db, api, {}, Object.fromEntries(slow)))
  const tookMs = performance.now() - begunMs
  assert.equal(askedBy('GET', api), 1)
  const writes = askedBy('PATCH', api)
  // One at the beginning and one at the end.
  assert.ok(writes >= 2 && writes <= 2 + tookMs / 2_000, `${writes} in ${tookMs} ms`)
})

test('who waits for the lock looks twice a second at most', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  assertSucceeded(await migrate(db, api))
  api.maps.clear()
  await db.sql(`select pg_advisory_lock(-6666451310881527300)`)
  using dir = folderOf(two)
  const env = { LOCKSTEP_STATUS: 'configmap/crm', KUBECONFIG: api.kubeconfig }
  const looksMs: number[] = []
  api.mischief = () => void looksMs.push(performance.now())
  const waiting = startProgram({
    form: 'bundle',
    env: { DATABASE_URL: db.url, LOCKSTEP_DIR: dir.path, ...env },
  })
  // The first look takes longer: the client is loaded for it.
  await until(() => looksMs.length >= 3)
  waiting.child.kill('SIGTERM')
  assertFailed(await waiting.ran, 75, 'INTERRUPTED')
  const [, second = 0, third = 0] = looksMs
  assert.ok(third - second > 400, `${third - second} ms`)
})

test('what could not be told while files were applied is told at the end: that is enough', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  api.mischief = ({ body }) => (body.includes('running') ? { status: 500 } : undefined)
  const ran = await migrate(db, api, { LOCKSTEP_STATUS_REQUIRED: 'true' })
  assertSucceeded(ran, /^warning +the status is not published/m, /^published .*succeeded, 0002/m)
})

test('a stopped run tries to say so for two seconds only', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  using dir = folderOf({ ...two, '0003_sleep.sql': 'select pg_sleep(60)' })
  const running = startProgram({
    form: 'bundle',
    env: {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: dir.path,
      LOCKSTEP_STATUS: 'configmap/crm',
      KUBECONFIG: api.kubeconfig,
      LOCKSTEP_HEARTBEAT: '300ms',
    },
  })
  await running.says('0003_sleep.sql for')
  await until(() => told(api) === 'running 0002')
  api.mischief = ({ body }) => (body.includes('interrupted') ? { status: 500 } : undefined)
  const begunMs = performance.now()
  running.child.kill('SIGTERM')
  assertFailed(await running.ran, 75, 'INTERRUPTED', 'the status is not published: the API server')
  assert.ok(performance.now() - begunMs < 7_000)
})

test('what somebody has changed by hand is taken back by the next run', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  assertSucceeded(await migrate(db, api))
  api.maps.set('shop/crm', { state: 'succeeded', 'status.json': 'mended by hand' })
  assertSucceeded(await migrate(db, api), /^published /m)
  assert.equal(told(api), 'succeeded 0002')
})

// A case: what the server does at first, so often; then it serves.
for (const [what, mischief, times] of [
  ['is at odds', { status: 409 }, 2],
  ['is overloaded', { status: 429, retryAfter: '1' }, 1],
  ['is out of order', { status: 503 }, 3],
  ['hangs up', 'cut', 3],
  ['does not know the token yet', { status: 401 }, 2],
] as const satisfies readonly (readonly [string, Mischief, number])[]) {
  test(`a server that ${what} for a moment is asked again`, async () => {
    await using db = await freshDatabase()
    await using api = await startApiServer()
    let left: number = times
    api.mischief = ({ body }) => {
      // Of the last write: while files are applied nothing is tried twice.
      if (!body.includes('succeeded') || left === 0) return undefined
      left -= 1
      return mischief
    }
    const ran = await migrate(db, api)
    assertSucceeded(ran, /^published /m)
    assert.doesNotMatch(ran.stdout, /^warning/m)
    assert.equal(left, 0)
    assert.equal(told(api), 'succeeded 0002')
  })
}

test('a server that names a pause is left in peace for so long', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  const triesMs: number[] = []
  api.mischief = ({ body }) => {
    if (!body.includes('succeeded')) return undefined
    triesMs.push(performance.now())
    return triesMs.length === 1 ? { status: 429, retryAfter: '1' } : undefined
  }
  assertSucceeded(await migrate(db, api), /^published /m)
  const [first = 0, second = 0] = triesMs
  assert.ok(second - first > 900, `${second - first} ms`)
})

for (const [what, mischief] of [
  ['answers 500', { status: 500 }],
  ['is silent', 'silent'],
] as const) {
  test(`a server that ${what} for the whole run fails no run, takes at most ten seconds, and the next run mends it`, async () => {
    await using db = await freshDatabase()
    await using api = await startApiServer()
    api.mischief = () => mischief
    const begunMs = performance.now()
    const ran = await migrate(db, api)
    const tookMs = performance.now() - begunMs
    assertSucceeded(ran, /^done +2 files applied/m)
    const warnings = ran.stdout.match(/^warning +the status is not published: /gm)
    assert.ok(warnings && warnings.length <= 2, ran.stdout)
    // One write while files are applied, which the last one waits for.
    assert.ok(tookMs < 18_000, `${tookMs} ms`)
    assert.deepEqual(await db.sql('select state from lockstep.run'), [{ state: 'succeeded' }])

    api.mischief = () => undefined
    assertSucceeded(await migrate(db, api), /^published .*\ndone +nothing to do/m)
    assert.equal(told(api), 'succeeded 0002')
  })
}

for (const verb of ['get', 'create', 'patch'] as const) {
  test(`a Role without ${verb} is one warning with its rule, and the end where the status is required`, async () => {
    await using db = await freshDatabase()
    await using api = await startApiServer()
    assertSucceeded(await migrate(db, api))
    api.mischief = ({ method }) => ({
      status: (method === 'GET') === (verb === 'get') ? 403 : 404,
      message: `configmaps "crm" is forbidden: User "system:serviceaccount:shop:runner" cannot ${verb} resource "configmaps"`,
    })
    const says = `system:serviceaccount:shop:runner may not ${verb} configmap/crm in shop (403)`
    const before = api.asked.length
    const ran = await migrate(db, api)
    // Trying again would not help: read without the lock and with it, and written, once each.
    assert.ok(api.asked.length - before <= 3)
    assertSucceeded(ran, says, 'verbs ["get", "create", "patch"] for runs')
    assert.equal(ran.stdout.match(/^warning/gm)?.length, 1, ran.stdout)
    const required = await migrate(db, api, { LOCKSTEP_STATUS_REQUIRED: 'true' })
    assertFailed(required, 75, 'STATUS_NOT_PUBLISHED', says)
  })
}

test('a failure is published, and the next success takes it away', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  const broken = { ...two, '0003_broken.sql': 'select * from leeds' }
  assertFailed(await migrate(db, api, {}, broken), 1, 'SQL_FAILED')
  assert.equal(told(api), 'failed 0002')
  const { error, reason } = api.maps.get('shop/crm') ?? {}
  assert.equal(error, 'SQL_FAILED')
  assert.match(reason ?? '', /^0003_broken\.sql:1:15 relation "leeds" does not exist/)
  assertSucceeded(await migrate(db, api))
  const { error: none, state } = api.maps.get('shop/crm') ?? {}
  assert.deepEqual([none, state], [undefined, 'succeeded'])
})
