import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, urlOf, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram, type Running } from '../support/program.ts'
import { proxyTo, type Proxy } from '../support/proxy.ts'
import { freePort } from '../support/server.ts'

/** Kubernetes gives a pod thirty seconds; a person waits less. */
const withinMs = 5_000

/** What a run is doing when the signal comes, and what it says then. */
interface Phase {
  readonly what: string
  readonly sql?: string
  readonly env?: (db: Database) => Promise<Record<string, string>>
  readonly says: string
}

const phases: readonly Phase[] = [
  {
    what: 'waits for a database that is down',
    env: async (db) => ({
      DATABASE_URL: urlOf(db.url, { host: `127.0.0.1:${await freePort()}` }),
      LOCKSTEP_CONNECT_WAIT: '60s',
    }),
    says: 'waiting ',
  },
  {
    what: 'waits for the lock',
    env: async (db) => {
      await db.superuser(`select pg_advisory_lock(${lockKey('lockstep')})`)
      return {}
    },
    says: 'the lock is held by',
  },
  { what: 'is inside a file', sql: 'select pg_sleep(600);', says: 'running    0001_a.sql' },
  {
    what: 'is inside a file that no cancel ends',
    sql: `do $$ begin loop begin perform pg_sleep(600); exception when query_canceled then null; end; end loop; end $$;`,
    says: 'running    0001_a.sql',
  },
  {
    what: 'pauses before a retry',
    env: async (db) => {
      await db.sql('create table held (id int)')
      await db.superuser('begin; lock table held in access share mode')
      return { LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_LOCK_TIMEOUT: '20ms' }
    },
    sql: 'alter table held add column name text;',
    says: 'again in ',
  },
]

async function startIn(phase: Phase, proxy: Proxy, db: Database, dir: string, command?: string[]) {
  const running = startProgram({
    env: {
      DATABASE_URL: proxy.url,
      LOCKSTEP_DIR: dir,
      LOCKSTEP_HEARTBEAT: '200ms',
      ...(await phase.env?.(db)),
    },
    form: 'bundle',
    ...(command === undefined ? {} : { command }),
  })
  await running.says(phase.says)
  return running
}

async function assertEnds(
  running: Running,
  pid: number,
  signal: 'SIGTERM' | 'SIGINT',
): Promise<void> {
  const begunMs = performance.now()
  process.kill(pid, signal)
  const ran = await running.ran
  const tookMs = performance.now() - begunMs
  assertFailed(ran, 75, 'INTERRUPTED', `stopped by ${signal}`)
  assert.ok(tookMs < withinMs, `it took ${tookMs} ms`)
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  describe(`${signal} ends a run within 5 s, with 75 and a last line`, { concurrency: 3 }, () => {
    for (const phase of phases) {
      for (const isSilent of [false, true]) {
        test(`that ${phase.what}${isSilent ? ', from a server that is silent' : ''}`, async () => {
          await using db = await freshDatabase()
          using folder = folderOf({ '0001_a.sql': phase.sql ?? 'select 1;' })
          await using proxy = await proxyTo(db.url)
          const running = await startIn(phase, proxy, db, folder.path)
          if (isSilent) proxy.freeze()
          await assertEnds(running, running.child.pid ?? 0, signal)
          const [row] = await db.sql<{ there: boolean }>(
            `select to_regclass('lockstep.ledger') is not null as there`,
          )
          if (row?.there === true)
            assert.deepEqual(await db.sql('select * from lockstep.ledger'), [])
        })
      }
    }
  })
}

test('SIGTERM while something accepts and never answers', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': 'select 1;' })
  await using proxy = await proxyTo(db.url)
  proxy.freeze()
  const env = { DATABASE_URL: proxy.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_CONNECT_WAIT: '60s' }
  const running = startProgram({ env, form: 'bundle' })
  await running.says('files ')
  await assertEnds(running, running.child.pid ?? 0, 'SIGTERM')
})

test('a second SIGTERM ends a run at once', async () => {
  await using db = await freshDatabase()
  const phase = phases.find(({ what }) => what.includes('no cancel'))
  assert.ok(phase)
  using folder = folderOf({ '0001_a.sql': phase.sql ?? '' })
  await using proxy = await proxyTo(db.url)
  const running = await startIn(phase, proxy, db, folder.path)
  running.child.kill('SIGTERM')
  // The cancel of the first shows on the server.
  await assertCancelled(db)
  const begunMs = performance.now()
  running.child.kill('SIGTERM')
  const { exit } = await running.ran
  assert.equal(exit, 75)
  assert.ok(performance.now() - begunMs < 500)
})

/** Waits until the sleep of the run has been begun anew. */
async function assertCancelled(db: Database): Promise<void> {
  const deadlineMs = performance.now() + 3_000
  for (;;) {
    const [row] = await db.sql<{ count: number }>(
      `select count(*)::int from pg_stat_activity where application_name ~ '^lockstep/' and wait_event = 'PgSleep'
        and datname = current_database()`,
    )
    if (row?.count === 1) return
    assert.ok(performance.now() < deadlineMs)
  }
}

// A process with the id 1 gets only those signals for which it has a handler.
const canUnshare = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0
test(
  'SIGTERM ends a run that is the first process of its container',
  { skip: canUnshare ? false : 'unshare is not there, or needs root' },
  async () => {
    for (const phase of phases) {
      await using db = await freshDatabase()
      using folder = folderOf({ '0001_a.sql': phase.sql ?? 'select 1;' })
      await using proxy = await proxyTo(db.url)
      const command = ['unshare', '--pid', '--fork', '--mount-proc']
      const running = await startIn(phase, proxy, db, folder.path, command)
      const { pid } = running.child
      const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
      await assertEnds(running, Number(first), 'SIGTERM')
    }
  },
)

describe('SIGKILL of the runner frees the lock', () => {
  for (const phase of phases.filter(({ says }) => /^(again|running)/.test(says)))
    test(`while it ${phase.what}`, async (t) => {
      await using db = await freshDatabase()
      using folder = folderOf({ '0001_a.sql': phase.sql ?? '' })
      await using proxy = await proxyTo(db.url)
      // Straight to the server: a proxy would hang up only when it sees the end of the process.
      const running = await startIn(
        { ...phase, env: async () => ({ ...(await phase.env?.(db)), DATABASE_URL: db.url }) },
        proxy,
        db,
        folder.path,
      )
      const begunMs = performance.now()
      running.child.kill('SIGKILL')
      await db.sql(`set lock_timeout = '10s'`)
      await db.sql(`select pg_advisory_lock(${lockKey('lockstep')})`)
      const tookMs = performance.now() - begunMs
      await running.ran
      t.diagnostic(`freed after ${Math.round(tookMs)} ms`)
      assert.ok(tookMs < 2_000, `it took ${tookMs} ms`)
    })
})

test('a runner that is stopped for a while with the lock goes on: each file is applied once', async () => {
  await using db = await freshDatabase()
  await db.sql('create table journal (file int)')
  using folder = folderOf({
    '0001_a.sql': 'insert into journal values (1); select pg_sleep(0.5);',
    '0002_b.sql': 'insert into journal values (2); select pg_sleep(0.5);',
  })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_BASELINE: 'ignore' }
  const first = startProgram({ env, form: 'bundle' })
  await first.says('plan ')
  first.child.kill('SIGSTOP')
  const second = startProgram({ env: { ...env, LOCKSTEP_HEARTBEAT: '500ms' }, form: 'bundle' })
  await second.says('the lock is held by', 4)
  first.child.kill('SIGCONT')
  assertSucceeded(await first.ran, '2 files applied')
  assertSucceeded(await second.ran, 'nothing to do')
  assert.deepEqual(await db.sql('select file from journal order by file'), [
    { file: 1 },
    { file: 2 },
  ])
})

for (const [what, exit, code, sql] of [
  ['inside a file', 1, 'DEADLINE_IN_FILE', 'select pg_sleep(600);'],
  ['while a retry is waited for', 75, 'DEADLINE_OVER', 'alter table held add column name text;'],
] as const) {
  test(`LOCKSTEP_DEADLINE ${what} ends the run with ${exit}`, async () => {
    await using db = await freshDatabase()
    await db.sql('create table held (id int)')
    await db.superuser('begin; lock table held in access share mode')
    using folder = folderOf({ '0001_a.sql': sql })
    const env = {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_BASELINE: 'ignore',
      LOCKSTEP_LOCK_TIMEOUT: '1ms',
      // Within the long pause behind the fifth try.
      LOCKSTEP_DEADLINE: '2s',
    }
    const running = startProgram({ env, form: 'bundle' })
    assertFailed(await running.ran, exit, code, 'LOCKSTEP_DEADLINE is over after 2 s')
  })
}

test('LOCKSTEP_DEADLINE while the lock is waited for ends the run with 75', async () => {
  await using db = await freshDatabase()
  await db.superuser(`select pg_advisory_lock(${lockKey('lockstep')})`)
  using folder = folderOf({ '0001_a.sql': 'select 1;' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_DEADLINE: '1s' }
  const running = startProgram({ env, form: 'bundle' })
  assertFailed(await running.ran, 75, 'DEADLINE_OVER', 'LOCKSTEP_DEADLINE is over after 1 s')
})
