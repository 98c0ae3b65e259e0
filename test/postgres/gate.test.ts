import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failures } from '../../src/errors.ts'
import { startApiServer } from '../support/api-server.ts'
import { freshDatabase, urlOf, withClient, type Database } from '../support/database.ts'
import { folderOf, type TestFolder } from '../support/folder.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, startProgram, type Ran, type Running } from '../support/program.ts'
import { startServer } from '../support/server.ts'
import { statusText } from '../support/status.ts'
import { until } from '../support/until.ts'

const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)

const two = {
  '0001_a.sql': 'create table a ();\n',
  '0002_b.sql': 'create table b ();\n',
}

type Env = Readonly<Record<string, string>>

function asked(db: Pick<Database, 'url'>, dir: TestFolder, env: Env, args: readonly string[]) {
  return {
    form: 'bundle',
    args: ['wait', ...args],
    env: { DATABASE_URL: db.url, LOCKSTEP_DIR: dir.path, ...env },
  } as const
}

function gate(
  db: Pick<Database, 'url'>,
  dir: TestFolder,
  env: Env = {},
  ...args: string[]
): Promise<Ran> {
  return runProgram(asked(db, dir, env, args))
}

function startGate(db: Pick<Database, 'url'>, dir: TestFolder, env: Env = {}): Running {
  return startProgram(asked(db, dir, env, []))
}

const shut = { LOCKSTEP_GATE_WAIT: '0s' }

test('it is open where all is applied, also long after, also for an older image on a newer schema', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  using older = folderOf({ '0001_a.sql': two['0001_a.sql'] })
  assertSucceeded(await migrateFiles(db, two))
  await db.sql('delete from lockstep.run')
  assertSucceeded(await gate(db, dir), /^done +ready: all 2 files of this image are applied, in/m)
  assertSucceeded(await gate(db, older), /ready: .* the schema is ahead by 1 file, in/)
})

test('pods that wait are let in by the run that they wait for', async () => {
  await using db = await freshDatabase()
  const slow = { ...two, '0003_slow.sql': 'select pg_sleep(1)' }
  using dir = folderOf(slow)
  const gates = Array.from({ length: 5 }, () => startGate(db, dir))
  await Promise.all(gates.map((each) => each.says('this image needs 3 files: 0001_a.sql')))
  assertSucceeded(await migrateFiles(db, slow))
  for (const each of gates) assertSucceeded(await each.ran, /^done +ready: all 3 files/m)
})

test('it says which run it follows, and ends with the reason of that run', async () => {
  await using db = await freshDatabase()
  const broken = { ...two, '0003_broken.sql': 'select pg_sleep(1.5); select * from leeds' }
  using dir = folderOf(broken)
  const waiting = startGate(db, dir, { LOCKSTEP_HEARTBEAT: '300ms' })
  await waiting.says('there is no ledger in the schema lockstep')
  const failing = migrateFiles(db, broken, { POD_NAME: 'crm-migrate-x7k2p' })
  await waiting.says('has been under way for')
  assertFailed(await failing, 1, 'SQL_FAILED')
  const ran = await waiting.ran
  assertFailed(ran, 1, 'SAME_FILES_FAILED', 'not applied: 0003_broken.sql')
  assert.match(ran.stdout, /failed with SQL_FAILED \(in 0003_broken\.sql\)/)
  assert.match(ran.stdout, /its log: kubectl logs crm-migrate-x7k2p/)
  // Somebody may be about to try again.
  assertFailed(await gate(db, dir, shut), 75, 'GATE_WAIT_OVER', 'ended with SQL_FAILED')
  await db.sql(
    `update lockstep.run set finished = finished - interval '61 s', pod = 'My machine; at home'`,
  )
  const later = await gate(db, dir)
  assertFailed(later, 1, 'SAME_FILES_FAILED')
  assert.doesNotMatch(later.stdout, /kubectl logs|My machine/)
})

test('it names the reason of a plan that was refused, and the mended run need not rest', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, two))
  const late = { ...two, '0000_late.sql': 'select 1' }
  using dir = folderOf(late)
  const waiting = startGate(db, dir)
  await waiting.says('this image needs 0000_late.sql; no run has begun')
  const env = { POD_NAME: 'crm-migrate-x7k2p' }
  assertFailed(await migrateFiles(db, late, env), 1, 'FILE_OUT_OF_ORDER')
  const ran = await waiting.ran
  assertFailed(ran, 1, 'SAME_FILES_FAILED', 'failed with FILE_OUT_OF_ORDER', 'crm-migrate-x7k2p')
  assert.deepEqual(await db.sql('select state, exit_code from lockstep.run order by started'), [
    { state: 'succeeded', exit_code: 0 },
    { state: 'refused', exit_code: 1 },
  ])
  const mended = await migrateFiles(db, late, { LOCKSTEP_OUT_OF_ORDER: 'allow' })
  assertSucceeded(mended)
  assert.doesNotMatch(mended.stdout, /^waiting/m)
  assertSucceeded(await gate(db, dir), /^done +ready: all 3 files/m)
})

for (const [what, file, env, code] of [
  ['a statement that cannot run', 'vacuum', {}, 'STATEMENT_REFUSED'],
  [
    'a file that needs a lock behind a pooler',
    '-- lockstep: no-transaction\nvacuum',
    { LOCKSTEP_POOLER: 'allow' },
    'POOLER_BETWEEN',
  ],
] as const) {
  test(`the ledger keeps why a plan was refused: ${what}`, async () => {
    await using db = await freshDatabase()
    assertSucceeded(await migrateFiles(db, two))
    const { exit } = failures[code]
    assertFailed(await migrateFiles(db, { ...two, '0003_c.sql': file }, env), exit, code)
    const last = 'select state, reason, exit_code from lockstep.run order by started desc limit 1'
    assert.deepEqual(await db.sql(last), [{ state: 'refused', reason: code, exit_code: exit }])
  })
}

test('where there is no ledger none is made for a refusal', async () => {
  await using db = await freshDatabase()
  await db.sql('create table a ()')
  assertFailed(await migrateFiles(db, two), 1, 'DATABASE_NOT_EMPTY')
  assert.deepEqual(await db.sql(`select from pg_namespace where nspname = 'lockstep'`), [])
})

test('an edited file, and a schema that breaks this image, are refused at once', async () => {
  await using db = await freshDatabase()
  using edited = folderOf({ ...two, '0002_b.sql': 'create table b (id int);\n' })
  using old = folderOf({ '0001_a.sql': two['0001_a.sql'] })
  assertSucceeded(
    await migrateFiles(db, { ...two, '0003_c.sql': '-- lockstep: breaks-before 2\n' }),
  )
  assertFailed(await gate(db, edited), 1, 'FILE_CHANGED', '0002_b.sql was edited')
  assertFailed(await gate(db, old), 1, 'IMAGE_TOO_OLD', 'breaks images without version 2')
  assertFailed(await gate(db, old, {}, '--version', '1'), 1, 'IMAGE_TOO_OLD')
  assertSucceeded(await gate(db, old, {}, '--version', '0002'))
  assertFailed(await gate(db, old, shut, '--version', '7'), 75, 'GATE_WAIT_OVER', 'version 7')
})

test('a role that may not read the ledger is told the exact GRANT, which is enough', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  assertSucceeded(await migrateFiles(db, two))
  const role = `reader_${db.name}`
  await db.superuser(`create role ${role} login password 'x'`)
  try {
    const reader = { url: urlOf(db.url, { user: role, password: 'x' }) }
    const ran = await gate(reader, dir)
    assertFailed(ran, 64, 'PRIVILEGE_MISSING')
    const [, grant = ''] = /(grant usage on schema .*;)/.exec(ran.stdout) ?? []
    assert.match(grant, new RegExp(`to "${role}";.* to "${role}";$`))
    await db.sql(grant)
    assertSucceeded(await gate(reader, dir), /^done +ready/m)

    await db.sql(`revoke select on lockstep.run from ${role}`)
    assertSucceeded(await gate(reader, dir), /^done +ready/m)
    using more = folderOf({ ...two, '0003_c.sql': 'select 1' })
    const says = `runs are hidden from this role: grant select on "lockstep".run to "${role}";`
    assertFailed(await gate(reader, more, shut), 75, 'GATE_WAIT_OVER', says)
  } finally {
    await db.superuser(`drop owned by ${role}; drop role ${role}`)
  }
})

test('a server that is full, away, or has no such database yet is a reason to wait', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  assertSucceeded(await migrateFiles(db, two))
  await db.superuser(`alter database ${db.name} connection limit 0`)
  const waiting = startGate(db, dir)
  await waiting.says('too many connections')
  await db.superuser(`alter database ${db.name} connection limit -1`)
  assertSucceeded(await waiting.ran, /^done +ready/m)

  const missing = { url: urlOf(db.url, { database: `${db.name}_not_yet` }) }
  assertFailed(await gate(missing, dir, shut), 75, 'GATE_WAIT_OVER', 'does not exist')
  const away = { url: urlOf(db.url, { host: '127.0.0.1:1' }) }
  // A look takes no longer for what a run would wait for a connection.
  const long = { ...shut, LOCKSTEP_CONNECT_WAIT: '1h' }
  assertFailed(await gate(away, dir, long), 75, 'GATE_WAIT_OVER', 'connection refused')
})

test('a look is one connection that is gone afterwards, and reads nothing but the ledger', async () => {
  await using db = await freshDatabase()
  using dir = folderOf({ ...two, '0003_c.sql': 'select 1' })
  assertSucceeded(await migrateFiles(db, two))
  const scans = `select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::int as scans
    from pg_stat_user_tables where schemaname <> 'lockstep'`
  const before = await db.sql(scans)
  const waiting = startGate(db, dir, { LOCKSTEP_HEARTBEAT: '100ms' })
  await waiting.says('this image needs 0003_c.sql', 3)
  await withClient(db.superuserUrl, async (client) => {
    const [most] = await client<{ sessions: number }[]>`
      select count(*)::int as sessions from pg_stat_activity
      where application_name like 'lockstep/%' and datname = current_database()`
    assert.ok((most?.sessions ?? 9) <= 1)
    const locks = await client`select from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`
    assert.equal(locks.length, 0)
  })
  waiting.child.kill('SIGTERM')
  const ran = await waiting.ran
  assertFailed(ran, 75, 'INTERRUPTED')
  assert.equal(ran.stdout.match(/^database/gm)?.length, 1)
  assert.deepEqual(await db.sql(scans), before)
})

test('with an address, a ConfigMap of another database keeps it shut, and it is asked once whose it is', async () => {
  await using db = await freshDatabase()
  await using api = await startApiServer()
  using dir = folderOf(two)
  const env = { KUBECONFIG: api.kubeconfig, LOCKSTEP_STATUS: 'configmap/crm' }
  api.maps.set('shop/crm', { 'status.json': await statusText(dir.path) })
  const waiting = startProgram(asked(db, dir, env, ['--from', 'configmap']))
  await waiting.says('configmap/crm in shop tells of another database, 0123456789abcdef, and this')
  await db.superuser(`alter database ${db.name} connection limit 0`)
  const asks = api.asked.length
  // Two more looks, for which there is no connection.
  await waiting.says('tells of another database')
  await until(() => api.asked.length >= asks + 2)
  await db.superuser(`alter database ${db.name} connection limit -1`)
  assertSucceeded(await migrateFiles(db, two, env))
  const ran = await waiting.ran
  assertSucceeded(ran, /^done +ready/m)
  assert.doesNotMatch(ran.stdout, /too many connections/)
})

test('a standby will do', async () => {
  await using server = await startServer(major)
  using dir = folderOf(two)
  assertSucceeded(await migrateFiles(server, two))
  await server.stop()
  server.write({ 'standby.signal': '' })
  await server.start()
  assertSucceeded(await gate(server, dir), /^done +ready: all 2 files/m)
})
