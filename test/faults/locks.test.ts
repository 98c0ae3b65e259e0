import assert from 'node:assert/strict'
import { test } from 'node:test'
import postgres from 'postgres'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertSucceeded } from '../support/output.ts'
import { startProgram } from '../support/program.ts'

/** One more session beside those of the database. */
function connect(url: string): postgres.Sql & AsyncDisposable {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined })
  return Object.assign(sql, { [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) })
}

/** Waits until somebody waits for a lock of this kind. */
async function assertWaited(
  db: Database,
  kind: 'advisory' | 'relation' | 'transactionid' | 'virtualxid',
): Promise<void> {
  const deadlineMs = performance.now() + 10_000
  for (;;) {
    const waiting = await db.sql(`
      select from pg_locks l join pg_stat_activity a using (pid)
      where not l.granted and l.locktype = '${kind}' and a.datname = current_database()`)
    if (waiting.length > 0) return
    assert.ok(performance.now() < deadlineMs, `nobody waits for a lock of ${kind}`)
  }
}

test('twenty runners at once, with an index that is built concurrently in one file: each file once, and no deadlock', async () => {
  await using db = await freshDatabase()
  await db.sql('create table big as select generate_series(1, 1000) as id')
  // For whom the index has to wait, before it is built.
  await db.superuser('begin; lock table big in row exclusive mode')
  const files = {
    ...markingFiles('s', 3),
    '0004_index.sql': '-- lockstep: no-transaction\ncreate index concurrently big_id on big (id);',
  }
  using folder = folderOf(files)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_BASELINE: 'ignore' }
  const runners = Array.from({ length: 20 }, () =>
    startProgram({ env, form: 'bundle', withinMs: 60_000 }),
  )
  // One has it, the others wait for it. A runner that were blocked in the lock would hold a snapshot,
  // for which the index waits: PostgreSQL would end one of the two.
  await Promise.all(runners.map(({ says }) => says('lock ')))
  await assertWaited(db, 'virtualxid')
  await db.superuser('select pg_sleep(1)')
  await db.superuser('rollback')
  for (const { ran } of runners) {
    const ended = await ran
    assertSucceeded(ended)
    assert.doesNotMatch(ended.output, /40P01|^lost|^retry/m)
  }
  assert.deepEqual(
    await db.sql(`select indisvalid from pg_index where indexrelid = 'big_id'::regclass`),
    [{ indisvalid: true }],
  )
  assert.deepEqual(await namesIn(db, 'lockstep'), Object.keys(files))
  assert.deepEqual(await marksIn(db, 's'), Object.keys(files).slice(0, 3))
})

test('a file that alters a table in use passes in the end, and no reader waits for long behind it', async (t) => {
  await using db = await freshDatabase()
  await db.sql('create table leads (id int)')
  await using long = connect(db.url)
  await using readers = connect(db.url)
  const longRead = long.begin(async (sql) => {
    await sql.unsafe('select * from leads')
    await sql.unsafe('select pg_sleep(3)')
  })
  const running = migrateFiles(
    db,
    { '0001_a.sql': 'alter table leads add column name text;' },
    { LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_LOCK_TIMEOUT: '100ms' },
  )
  const over = new AbortController()
  const ending = running.finally(() => over.abort())
  let longestMs = 0
  let reads = 0
  while (!over.signal.aborted) {
    // By the clock of the server: what this process waits for itself does not count.
    const [read] = await readers.unsafe<{ ms: number }[]>(`
      select (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000)::float8 as ms,
        (select count(*) from leads)`)
    longestMs = Math.max(longestMs, read?.ms ?? 0)
    reads += 1
  }
  const ran = await ending
  await longRead
  t.diagnostic(`${reads} reads, the longest took ${Math.round(longestMs)} ms`)
  assertSucceeded(ran, /^retry .*55P03/m, '1 file applied')
  assert.ok(longestMs < 300, `a reader waited for ${longestMs} ms`)
  assert.ok(longestMs > 50, 'no reader came behind the file')
})

test('a deadlock with another session is retried, and passes', async () => {
  await using db = await freshDatabase()
  await db.sql('create table one (id int); create table two (id int)')
  await db.superuser(
    `alter role lockstep_test in database ${db.name} set deadlock_timeout = '50ms'`,
  )
  await db.superuser('select pg_advisory_lock(42)')
  await using other = connect(db.superuserUrl)
  // Who looks for deadlocks is the file, so it is the one that is broken off.
  await other.unsafe(`set deadlock_timeout = '1h'; begin; lock table two`)
  const sql = 'lock table one; select pg_advisory_xact_lock(42); lock table two;'
  using folder = folderOf({ '0001_a.sql': sql })
  const env = {
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_LOCK_TIMEOUT: '0',
  }
  const running = startProgram({ env, form: 'bundle' })
  await assertWaited(db, 'advisory')
  const theirs = other.unsafe('lock table one; commit').execute()
  await assertWaited(db, 'relation')
  await db.superuser('select pg_advisory_unlock_all()')
  await theirs
  assertSucceeded(await running.ran, /^retry .*deadlock detected \(40P01\)/m, '1 file applied')
})

test('a failed serialization is retried, and passes', async () => {
  await using db = await freshDatabase()
  await db.sql('create table counters (n int); insert into counters values (0)')
  await using other = connect(db.url)
  await other.unsafe('begin; update counters set n = n + 1')
  await db.superuser(
    `alter role lockstep_test in database ${db.name} set default_transaction_isolation = 'repeatable read'`,
  )
  using folder = folderOf({ '0001_a.sql': 'update counters set n = n + 10;' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_BASELINE: 'ignore' }
  const running = startProgram({ env, form: 'bundle' })
  await assertWaited(db, 'transactionid')
  await other.unsafe('commit')
  const ran = await running.ran
  assertSucceeded(ran, /^retry .*\(40001\)/m, '1 file applied')
  assert.deepEqual(await db.sql('select n from counters'), [{ n: 11 }])
})
