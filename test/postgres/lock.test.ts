import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, startProgram } from '../support/program.ts'

const files = Object.fromEntries(
  Array.from({ length: 12 }, (_, index) => {
    const number = String(index + 1).padStart(4, '0')
    return [
      `${number}_f.sql`,
      `create table t${number} (id int); insert into journal values (${index + 1});`,
    ]
  }),
)
const journal = { '0000_journal.sql': 'create table journal (file int);' }

for (const form of ['source', 'bundle'] as const) {
  test(`${form}: six runners at once on an empty database apply each file once, and all succeed`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf({ ...journal, ...files })
    const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
    const runs = await Promise.all(Array.from({ length: 6 }, () => runProgram({ env, form })))
    for (const ran of runs) assertSucceeded(ran)
    const workers = runs.filter(({ output }) => /^applied/m.test(output))
    assert.equal(workers.length, 1, 'one runner does all the work')
    const rows = await db.sql<{ file: number; times: number }>(
      'select file, count(*)::int as times from journal group by file order by file',
    )
    assert.deepEqual(
      rows,
      Array.from({ length: 12 }, (_, index) => ({ file: index + 1, times: 1 })),
    )
  })
}

/** A file that goes on only when the test lets it, by `db.sql('select pg_advisory_unlock(42)')`. */
const held = { '0001_slow.sql': 'select pg_advisory_xact_lock(42); create table slow (id int);' }

async function startHeld(db: Database, more: Readonly<Record<string, string>>) {
  await db.sql('select pg_advisory_lock(42)')
  const folder = folderOf({ ...held, ...more })
  const env = {
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_LOCK_TIMEOUT: '20s',
    LOCKSTEP_HEARTBEAT: '300ms',
    POD_NAME: 'crm-migrate-x7k2p',
  }
  const first = startProgram({ env, form: 'bundle' })
  await first.says('blocked ')
  const waiters = [1, 2, 3].map(() => startProgram({ env, form: 'bundle' }))
  for (const waiter of waiters) await waiter.says('the lock is held by')
  await db.sql('select pg_advisory_unlock(42)')
  const ended = await Promise.all(waiters.map(({ ran }) => ran))
  folder[Symbol.dispose]()
  return { first: await first.ran, waiters: ended }
}

test('whoever waits says at once who holds the lock, and leaves without it when everything is done', async () => {
  await using db = await freshDatabase()
  const { first, waiters } = await startHeld(db, {})
  assertSucceeded(first, '1 file applied')
  const run = /run ([0-9a-f]{8})/.exec(first.output)?.[1]
  for (const waiter of waiters) {
    assertSucceeded(
      waiter,
      `waiting    the lock is held by crm-migrate-x7k2p (run ${run}, pid `,
      /connected for [\d.]+ s; it applies 0001_slow\.sql: waits for EXCLUSIVE on advisory$/m,
      'nothing to do',
    )
    assert.doesNotMatch(waiter.output, /^lock/m)
  }
})

/** Until some session of the database waits for a lock, with the server's own bound. */
async function waitsForLock(db: Database): Promise<void> {
  await db.superuser(`do $$ begin
    for i in 1 .. 500 loop
      perform pg_stat_clear_snapshot();
      exit when exists (select from pg_locks l join pg_stat_activity a using (pid)
        where not l.granted and a.datname = current_database());
      perform pg_sleep(0.01);
    end loop;
  end $$`)
}

test('a lock that is held for longer than we may wait ends the run, and a retry may help', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': 'select 1;' })
  await db.superuser(`select pg_advisory_lock(${lockKey('lockstep')})`)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_RUNNER_WAIT: '200ms' }
  const ran = await runProgram({ env, form: 'bundle' })
  assertFailed(ran, 75, 'RUNNER_WAIT_OVER', /the lock is held by pid \d+/)
  await db.superuser('select pg_advisory_unlock_all()')
  assertSucceeded(await runProgram({ env, form: 'bundle' }), '1 file applied')
})

test('a holder that is itself held up is told with whoever is in its way', async () => {
  await using db = await freshDatabase()
  await db.sql('create table leads (id int)')
  await db.sql('begin; lock table leads in access share mode')
  using folder = folderOf({ '0001_a.sql': 'alter table leads add column name text;' })
  const env = {
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_LOCK_TIMEOUT: '20s',
    LOCKSTEP_HEARTBEAT: '200ms',
  }
  const first = startProgram({ env, form: 'bundle' })
  await first.says('blocked    0001_a.sql waits for ACCESS EXCLUSIVE on public.leads')
  const second = startProgram({ env, form: 'bundle' })
  await second.says('it applies 0001_a.sql: waits for ACCESS EXCLUSIVE on public.leads')
  await second.says('in its way: pid ')
  await second.says('holds ACCESS SHARE, idle in transaction for')
  await db.sql('rollback')
  assertSucceeded(await first.ran, '1 file applied')
  assertSucceeded(await second.ran, 'nothing to do')
})

test('whoever waits ends at once with the reason when the holder fails with the same files', async () => {
  await using db = await freshDatabase()
  const { first, waiters } = await startHeld(db, { '0002_bad.sql': 'selekt 1;' })
  assertFailed(first, 1, 'SQL_FAILED', '0002_bad.sql')
  const run = /run ([0-9a-f]{8})/.exec(first.output)?.[1]
  const said = `run ${run} of the same files failed with SQL_FAILED in 0002_bad.sql`
  for (const waiter of waiters) assertFailed(waiter, 1, 'SAME_FILES_FAILED', said)
})

test('a start soon after such a failure waits, unless files have changed', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_bad.sql': 'selekt 1;' })
  using mended = folderOf({ '0001_bad.sql': 'select 1;' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assertFailed(await runProgram({ env, form: 'bundle' }), 1, 'SQL_FAILED')
  const second = startProgram({ env, form: 'bundle' })
  await second.says('of the same files failed with SQL_FAILED in 0001_bad.sql')
  await second.says('trying again in ')
  second.child.kill('SIGTERM')
  assertFailed(await second.ran, 75, 'INTERRUPTED')
  const third = await runProgram({ env: { ...env, LOCKSTEP_DIR: mended.path }, form: 'bundle' })
  assertSucceeded(third, '1 file applied')
})

test('where a role may not see what sessions do, one connection looks once, and the lines go on', async () => {
  await using db = await freshDatabase()
  await db.superuser('revoke select on pg_catalog.pg_stat_activity from public')
  using folder = folderOf({ '0001_a.sql': 'select pg_sleep(2);' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_HEARTBEAT: '100ms' }
  const running = startProgram({ env, form: 'bundle' })
  await running.says('running    0001_a.sql', 6)
  const [beside] = await db.superuser<{ count: number }>(`
    select count(*)::int from pg_stat_activity where datname = '${db.name}' and application_name ~ '/watch$'`)
  assert.ok((beside?.count ?? 0) <= 1, `${beside?.count} sessions look`)
  assertSucceeded(
    await running.ran,
    /^note +what a file does, and who blocks it, cannot be told: permission/m,
  )
})

test('whoever only queues in front is told as that, and with whoever holds it up', async () => {
  await using db = await freshDatabase()
  await db.sql('create table leads (id int)')
  await db.superuser(`set application_name = 'report'; begin; select from leads`)
  const queue = db.sql(`set application_name = 'queue'; lock table leads in access exclusive mode`)
  queue.catch(() => undefined)
  using folder = folderOf({ '0001_a.sql': 'insert into leads values (1);' })
  const env = {
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_LOCK_TIMEOUT: '20s',
    LOCKSTEP_HEARTBEAT: '200ms',
  }
  await waitsForLock(db)
  const running = startProgram({ env, form: 'bundle' })
  await running.says('blocked    0001_a.sql waits for ROW EXCLUSIVE on public.leads')
  await running.says('(application report, user postgres) holds ACCESS SHARE')
  await running.says('(application queue, user lockstep_test) waits in front for ACCESS EXCLUSIVE')
  await db.superuser('rollback')
  await queue.catch(() => undefined)
  assertSucceeded(await running.ran, '1 file applied')
})

test('SIGTERM ends a waiting run at once, with a last line and 75', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': 'select 1;' })
  await db.superuser(`select pg_advisory_lock(${lockKey('lockstep')})`)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const waiting = startProgram({ env, form: 'bundle', withinMs: 10_000 })
  await waiting.says('the lock is held by')
  waiting.child.kill('SIGTERM')
  assertFailed(await waiting.ran, 75, 'INTERRUPTED', 'stopped by SIGTERM')
})

test('SIGTERM ends a run inside a file, which is kept whole or not at all', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': 'create table a (id int); select pg_sleep(60);' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_HEARTBEAT: '200ms' }
  const running = startProgram({ env, form: 'bundle', withinMs: 10_000 })
  await running.says('running    0001_a.sql for')
  running.child.kill('SIGTERM')
  assertFailed(await running.ran, 75, 'INTERRUPTED', 'stopped by SIGTERM')
  assert.deepEqual(await db.sql('select state, exit_code, reason, file_begun from lockstep.run'), [
    { state: 'interrupted', exit_code: 75, reason: 'INTERRUPTED', file_begun: '0001_a.sql' },
  ])
  // It was cancelled, so nothing need be waited for.
  await db.sql(`set lock_timeout = '500ms'`)
  await db.sql(`select pg_advisory_lock(${lockKey('lockstep')})`)
  assert.deepEqual(await db.sql(`select to_regclass('a') as a`), [{ a: null }])
})
