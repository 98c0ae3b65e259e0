import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ensureLedger, look } from '../../src/postgres/ledger.ts'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { failureIn } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { noPooler, startPooler, type Pooler } from '../support/pgbouncer.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { openConfirmed } from '../support/session.ts'

const numbers = Array.from({ length: 12 }, (_, index) => index + 1)
const files = Object.fromEntries(
  numbers.map((n) => [
    `${String(n).padStart(4, '0')}_f.sql`,
    `${n === 1 ? 'create table journal (file int);' : ''} create table t${n} (id int); insert into journal values (${n});`,
  ]),
)

/** Goes on when the test lets it, by `db.sql('select pg_advisory_unlock(42)')`. */
const held = 'create table slow (); select pg_advisory_xact_lock(42);'

const untouched = {
  role: 'none',
  custom: null,
  settings: {},
  advisoryLocks: 0,
  temporaryTables: [],
  channels: [],
}

/** Every session of the pool is as it was when the pooler made it. */
async function assertUntouched(pooler: Pooler): Promise<void> {
  for (const { pid, ...session } of await pooler.sessions())
    assert.deepEqual(session, untouched, `pid ${pid}`)
}

async function assertEachOnce(db: Database): Promise<void> {
  const rows = await db.sql(
    'select file, count(*)::int as times from journal group by 1 order by 1',
  )
  assert.deepEqual(
    rows,
    numbers.map((n) => ({ file: n, times: 1 })),
  )
  const ledger = await db.sql('select name from lockstep.ledger order by id')
  assert.deepEqual(
    ledger.map(({ name }) => name),
    Object.keys(files),
  )
}

test('a gate looks through a pooler and leaves nothing there', { skip: noPooler }, async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  await using pooler = await startPooler(db.url, 'transaction')
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assertSucceeded(await runProgram({ env, form: 'bundle' }))
  const through = { ...env, DATABASE_URL: pooler.url }
  const gate = await runProgram({ args: ['wait'], env: through, form: 'bundle' })
  assertSucceeded(gate, /^done +ready: all 12 files/m)
  await assertUntouched(pooler)
})

for (const mode of ['transaction', 'session'] as const) {
  test(
    `PgBouncer by ${mode} is refused before anything is set or locked, with what to do`,
    { skip: noPooler },
    async () => {
      await using db = await freshDatabase()
      using folder = folderOf(files)
      await using pooler = await startPooler(db.url, mode)
      const env = { DATABASE_URL: pooler.url, LOCKSTEP_DIR: folder.path }
      // As many as the pool has sessions, so that each of them is met.
      await pooler.sessions()
      const runs = await Promise.all([1, 2, 3].map(() => runProgram({ env, form: 'bundle' })))
      for (const ran of runs) {
        assertFailed(
          ran,
          64,
          'POOLER_BETWEEN',
          `127.0.0.1:${pooler.port}/${db.name} is a connection pooler`,
          'use the address of the server',
          'LOCKSTEP_POOLER=session',
          'LOCKSTEP_POOLER=allow: no lock is held between files',
        )
      }
      await assertUntouched(pooler)
      assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as ledger`), [
        { ledger: null },
      ])
    },
  )
}

test(
  'options of the address, which a pooler drops or refuses, are never lost without a word',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    using folder = folderOf(files)
    for (const ignored of [[], ['options']]) {
      await using pooler = await startPooler(db.url, 'transaction', { ignored })
      const url = `${pooler.url}?options=${encodeURIComponent('-c search_path=nowhere')}`
      const env = { DATABASE_URL: url, LOCKSTEP_DIR: folder.path, LOCKSTEP_POOLER: 'allow' }
      const ran = await runProgram({ env, form: 'bundle' })
      assertFailed(ran, 64, 'POOLER_BETWEEN', 'does not pass on the options of the address')
    }
  },
)

test(
  'session: two runners at once behind session pooling apply each file once, and leave nothing',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    using folder = folderOf(files)
    await using pooler = await startPooler(db.url, 'session')
    const env = {
      DATABASE_URL: pooler.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_POOLER: 'session',
    }
    const runs = await Promise.all([1, 2].map(() => runProgram({ env, form: 'bundle' })))
    for (const ran of runs) assertSucceeded(ran)
    assert.equal(runs.filter(({ output }) => /^applied/m.test(output)).length, 1)
    await assertEachOnce(db)
    assertSucceeded(await runProgram({ env, form: 'bundle' }), 'nothing to do')
    await assertUntouched(pooler)
  },
)

test(
  'session: the lock is held while a file runs, whoever waits knows by whom, and a line tells what it does',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    await db.sql('select pg_advisory_lock(42)')
    using folder = folderOf({ '0001_held.sql': held })
    await using pooler = await startPooler(db.url, 'session')
    const env = {
      DATABASE_URL: pooler.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_POOLER: 'session',
      LOCKSTEP_HEARTBEAT: '200ms',
      LOCKSTEP_LOCK_TIMEOUT: '20s',
      POD_NAME: 'crm-migrate-x7k2p',
    }
    const first = startProgram({ env, form: 'bundle' })
    // What waits is the backend, which the key data of the pooler does not name.
    await first.says('0001_held.sql waits for EXCLUSIVE on advisory')
    const direct = { ...env, DATABASE_URL: db.url, LOCKSTEP_POOLER: 'refuse' }
    const waiter = startProgram({ env: direct, form: 'bundle' })
    await waiter.says('the lock is held by crm-migrate-x7k2p (run ')
    await db.sql('select pg_advisory_unlock(42)')
    assertSucceeded(await waiter.ran, 'nothing to do')
    assertSucceeded(await first.ran, '1 file applied')
  },
)

test(
  'session and allow: a text is stored as it was written, whatever encoding the server would choose',
  { skip: noPooler },
  async () => {
    for (const [mode, policy] of [
      ['session', 'session'],
      ['transaction', 'allow'],
    ] as const) {
      await using db = await freshDatabase()
      using folder = folderOf({
        '0001_a.sql': 'create table a (t text); reset all;',
        '0002_b.sql': `insert into a values ('é');`,
        '0003_c.sql': `insert into a values ('é');`,
      })
      await db.sql(`alter role current_user in database ${db.name} set client_encoding = 'LATIN1'`)
      await using pooler = await startPooler(db.url, mode)
      const env = {
        DATABASE_URL: pooler.url,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_POOLER: policy,
      }
      assertSucceeded(await runProgram({ env, form: 'bundle' }), '3 files applied')
      assert.deepEqual(await db.sql('select t, length(t) from a'), [
        { t: 'é', length: 1 },
        { t: 'é', length: 1 },
      ])
    }
  },
)

test(
  'allow: 20 runners through a pool of three sessions apply each file once, all succeed, and nothing is left',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    using folder = folderOf(files)
    await using pooler = await startPooler(db.url, 'transaction')
    const env = { DATABASE_URL: pooler.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_POOLER: 'allow' }
    const runs = await Promise.all(
      Array.from({ length: 20 }, () => runProgram({ env, form: 'bundle', withinMs: 60_000 })),
    )
    for (const ran of runs) assertSucceeded(ran)
    await assertEachOnce(db)
    const applied = runs.flatMap(({ output }) => output.match(/^applied +\S+/gm) ?? [])
    assert.equal(applied.length, numbers.length, 'each file is told as applied by one runner')
    for (const { output } of runs)
      assert.match(output, /^done +(nothing to do: 12 files|[1-9]\d* files?) applied/m)
    await assertUntouched(pooler)
    const [unfinished] = await db.sql(
      `select count(*)::int as runs from lockstep.run where state <> 'succeeded'`,
    )
    assert.deepEqual(unfinished, { runs: 0 })
    assertSucceeded(await runProgram({ env, form: 'bundle' }), 'nothing to do')
  },
)

test(
  'allow: sessions of the pool are left as they were found, and what others set there reaches no file',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    await db.sql('create schema lockstep authorization pg_database_owner')
    await db.sql('create table users (id int); create table seen (who text, mem text, users int)')
    const count = `insert into seen select current_user, current_setting('work_mem'), count(*) from users;`
    const leave = `set work_mem = '1MB'; set statement_timeout = '1h'; set app.custom = 'left';
      create temporary table leftover (id int); listen noise; reset all; set lock_timeout = '1h';
      select pg_catalog.set_config('search_path', '', false); set role pg_read_all_settings;`
    using folder = folderOf({
      '0001_count.sql': count,
      '0002_leave.sql': leave,
      '0003_count.sql': count,
      '0004_leave.sql': leave,
    })
    await db.superuser('grant pg_read_all_settings to lockstep_test')
    await using pooler = await startPooler(db.url, 'transaction', {
      connectQuery: [
        `set work_mem = ''7MB''; create temporary table users as select 1`,
        'set role pg_database_owner',
      ].join(';'),
    })
    const env = {
      DATABASE_URL: pooler.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_POOLER: 'allow',
      LOCKSTEP_BASELINE: 'ignore',
    }
    assertSucceeded(await runProgram({ env, form: 'bundle' }), '4 files applied')
    const seen = { who: 'lockstep_test', mem: '4MB', users: 0 }
    assert.deepEqual(await db.sql('select * from seen'), [seen, seen])
    for (const { pid, temporaryTables, ...session } of await pooler.sessions()) {
      const found = { role: 'pg_database_owner', custom: null, settings: { work_mem: '7168' } }
      assert.deepEqual(session, { ...found, advisoryLocks: 0, channels: [] }, `pid ${pid}`)
      assert.ok(!temporaryTables.includes('leftover'))
    }
  },
)

test(
  'allow: a runner waits for the fence of another, says for whom, and goes on behind it',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    await db.sql('select pg_advisory_lock(42)')
    using folder = folderOf({ '0001_held.sql': held })
    await using pooler = await startPooler(db.url, 'transaction')
    const env = {
      DATABASE_URL: pooler.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_POOLER: 'allow',
      LOCKSTEP_HEARTBEAT: '200ms',
      LOCKSTEP_LOCK_TIMEOUT: '20s',
      POD_NAME: 'crm-migrate-x7k2p',
    }
    const first = startProgram({ env, form: 'bundle' })
    await first.says('0001_held.sql waits for EXCLUSIVE on advisory')
    folder.write({ '0002_next.sql': 'create table next ();' })
    const impatient = { ...env, LOCKSTEP_RUNNER_WAIT: '100ms' }
    const ended = await runProgram({ env: impatient, form: 'bundle' })
    assertFailed(ended, 75, 'RUNNER_WAIT_OVER', 'the lock is held by crm-migrate-x7k2p')
    const second = startProgram({ env, form: 'bundle' })
    await second.says('waiting    the lock is held by crm-migrate-x7k2p (run ')
    await db.sql('select pg_advisory_unlock(42)')
    assertSucceeded(await second.ran, '1 file applied')
    assertSucceeded(await first.ran, '1 file applied')
  },
)

test('allow: runners of both kinds keep apart, the one by the lock and the other by the fence', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const runs = await Promise.all(
    ['allow', 'refuse', 'allow', 'refuse', 'allow'].map((policy) =>
      runProgram({ env: { ...env, LOCKSTEP_POOLER: policy }, form: 'bundle' }),
    ),
  )
  for (const ran of runs) assertSucceeded(ran)
  await assertEachOnce(db)
})

test(
  'allow: SIGTERM inside a file cancels it through the pooler, and nothing of it is left',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    using folder = folderOf({ '0001_slow.sql': 'create table slow (); select pg_sleep(60);' })
    await using pooler = await startPooler(db.url, 'transaction')
    const env = {
      DATABASE_URL: pooler.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_POOLER: 'allow',
      LOCKSTEP_HEARTBEAT: '200ms',
    }
    const running = startProgram({ env, form: 'bundle' })
    await running.says('running    0001_slow.sql for')
    running.child.kill('SIGTERM')
    assertFailed(await running.ran, 75, 'INTERRUPTED', 'stopped by SIGTERM')
    // Cancelled, not merely left: the server would notice that only after a while.
    const [left] = await db.superuser(
      `select count(*)::int as running from pg_stat_activity where datname = '${db.name}' and query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()`,
    )
    assert.deepEqual(left, { running: 0 })
    assert.deepEqual(await db.sql(`select to_regclass('slow') as slow`), [{ slow: null }])
    const [run] = await db.sql('select state, file_begun from lockstep.run')
    assert.deepEqual(run, { state: 'interrupted', file_begun: '0001_slow.sql' })
    await assertUntouched(pooler)
  },
)

test(
  'allow: a file that fails leaves nothing, and its session clean',
  { skip: noPooler },
  async () => {
    await using db = await freshDatabase()
    using folder = folderOf({
      '0001_a.sql': 'create table a (id int);',
      '0002_b.sql': `set work_mem = '1MB'; create temporary table b (id int); create table half ();\nselect 1/0;`,
    })
    await using pooler = await startPooler(db.url, 'transaction')
    const env = { DATABASE_URL: pooler.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_POOLER: 'allow' }
    const ran = await runProgram({ env, form: 'bundle' })
    assertFailed(
      ran,
      1,
      'SQL_FAILED',
      '0002_b.sql division by zero (22012)',
      'applied in this run and kept: 0001_a.sql',
    )
    assert.deepEqual(await db.sql(`select to_regclass('half') as half`), [{ half: null }])
    const open = await db.superuser(
      `select state from pg_stat_activity where datname = '${db.name}' and state like 'idle in transaction%'`,
    )
    assert.deepEqual(open, [])
    await assertUntouched(pooler)
  },
)

test('the ledger is made behind the fence, whose holder passes it', async () => {
  await using db = await freshDatabase()
  const key = lockKey('lockstep')
  await using first = await openConfirmed(db)
  await using second = await openConfirmed(db)
  await first.query(`select pg_advisory_lock(${key})`)
  await failureIn('LEDGER_MOVED', ensureLedger(second, 'lockstep', key, undefined))
  await second.execute('rollback')
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as ledger`), [{ ledger: null }])
  await ensureLedger(first, 'lockstep', key, undefined)
  assert.ok((await look(second, 'lockstep')).ledger)
})

for (const [mode, policy] of [
  ['session', 'session'],
  ['transaction', 'allow'],
] as const) {
  test(
    `${policy}: a session that the server ends inside a file is told as lost, and the file is tried again`,
    { skip: noPooler },
    async () => {
      await using db = await freshDatabase()
      using folder = folderOf({
        '0001_slow.sql': `create table slow (); select pg_sleep(1.5);`,
      })
      await using pooler = await startPooler(db.url, mode)
      const env = {
        DATABASE_URL: pooler.url,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_POOLER: policy,
        LOCKSTEP_HEARTBEAT: '200ms',
      }
      const running = startProgram({ env, form: 'bundle' })
      await running.says('waits for Timeout PgSleep')
      await db.superuser(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = '${db.name}' and wait_event = 'PgSleep'`)
      assertSucceeded(await running.ran, /^lost .* inside 0001_slow.sql/m, '1 file applied')
    },
  )
}

test('status works through a pooler, whatever is said of poolers', { skip: noPooler }, async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  for (const mode of ['transaction', 'session'] as const) {
    await using pooler = await startPooler(db.url, mode)
    const env = { DATABASE_URL: pooler.url, LOCKSTEP_DIR: folder.path }
    const ran = await runProgram({ env, args: ['status', '--exit-code'], form: 'bundle' })
    assert.equal(ran.exit, 2, ran.output)
    assert.match(ran.stdout, /0001_f\.sql +pending\n/)
    await assertUntouched(pooler)
  }
})
