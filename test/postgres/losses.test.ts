import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram } from '../support/program.ts'
import { proxyTo } from '../support/proxy.ts'

const files = markingFiles('s', 3)
const names = Object.keys(files)
const patient = { LOCKSTEP_CONNECT_WAIT: '20s' }

/** Ends the session of the run on the server, not the one that watches it. */
async function terminateRun(db: Database): Promise<void> {
  const ended = await db.sql(`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and application_name ~ '^lockstep/[0-9a-f]{8}/(?!watch)'`)
  assert.equal(ended.length, 1)
}

async function assertEachOnce(db: Database): Promise<void> {
  assert.deepEqual(await namesIn(db, 'lockstep'), names)
  assert.deepEqual(await marksIn(db, 's'), names)
}

test('a backend that is killed inside a file: the run goes on, and the file is applied once', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...files,
    '0002_f.sql': `${files['0002_f.sql']} select pg_sleep(0.5);`,
  })
  const running = startProgram({
    env: {
      ...patient,
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_HEARTBEAT: '100ms',
    },
    form: 'bundle',
  })
  await running.says('running    0002_f.sql')
  await terminateRun(db)
  assertSucceeded(await running.ran, /^lost .*administrator.*57P01.* inside 0002_f\.sql/m)
  await assertEachOnce(db)
})

test('a backend that is killed between two tries of a file, twice: that is not the file’s fault', async () => {
  await using db = await freshDatabase()
  await db.sql('create table held (id int)')
  await db.superuser('begin; lock table held in access share mode')
  using folder = folderOf({ '0001_a.sql': 'alter table held add column name text;' })
  const running = startProgram({
    env: {
      ...patient,
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_BASELINE: 'ignore',
      LOCKSTEP_LOCK_TIMEOUT: '20ms',
      LOCKSTEP_HEARTBEAT: '1h',
    },
    form: 'bundle',
  })
  // By the fourth try a pause is long enough to hit it.
  for (const tries of [4, 5]) {
    await running.says('again in ', tries)
    await terminateRun(db)
  }
  await running.says('lost ', 2)
  await db.superuser('rollback')
  assertSucceeded(await running.ran, '1 file applied')
})

test('a backend that is killed while it waits for the lock: the run waits on', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  await db.superuser(`select pg_advisory_lock(${lockKey('lockstep')})`)
  const waiting = startProgram({
    env: { ...patient, DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path },
    form: 'bundle',
  })
  for (const times of [1, 2, 3]) {
    await waiting.says('the lock is held by', times)
    await terminateRun(db)
  }
  await waiting.says('the lock is held by', 4)
  await db.superuser('select pg_advisory_unlock_all()')
  assertSucceeded(await waiting.ran, '3 files applied')
  await assertEachOnce(db)
})

for (const [nth, file] of names.entries()) {
  test(`the answer to the COMMIT of ${file} is lost: the ledger knows, and no file runs twice`, async () => {
    await using db = await freshDatabase()
    let commits = 0
    await using proxy = await proxyTo(db.url, ({ kind, body }) => {
      if (kind !== 'C' || !body.toString().startsWith('COMMIT')) return 'pass'
      commits += 1
      // The first is the ledger’s own.
      return commits === nth + 2 ? 'cut' : 'pass'
    })
    const ran = await migrateFiles(proxy, files, patient)
    assertSucceeded(
      ran,
      `${file} is applied: the connection was lost behind its COMMIT`,
      '3 files applied',
    )
    await assertEachOnce(db)
  })
}

test('idle_session_timeout of the role does not end a run that waits', async () => {
  await using db = await freshDatabase()
  await db.superuser(
    `alter role lockstep_test in database ${db.name} set idle_session_timeout = '150ms'`,
  )
  using folder = folderOf(files)
  await db.superuser(`select pg_advisory_lock(${lockKey('lockstep')})`)
  const waiting = startProgram({
    env: { ...patient, DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path },
    form: 'bundle',
  })
  await waiting.says('the lock is held by')
  // Pauses between two polls grow to half a second meanwhile.
  await db.superuser('select pg_sleep(2), pg_advisory_unlock_all()')
  const ran = await waiting.ran
  assertSucceeded(ran, '3 files applied')
  assert.doesNotMatch(ran.output, /^lost/m)
})

test('a file that ends its own session twice is at fault, whatever else was lost before', async () => {
  await using db = await freshDatabase()
  const ran = await migrateFiles(db, {
    ...files,
    '0002_f.sql': 'select pg_terminate_backend(pg_backend_pid());',
  })
  assertFailed(ran, 1, 'FILE_LOSES_CONNECTION', '0002_f.sql has lost the connection twice')
  assert.deepEqual(await namesIn(db, 'lockstep'), names.slice(0, 1))
})
