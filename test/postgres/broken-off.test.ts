import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Failure } from '../../src/errors.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { told } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'
import { runHere, startHere } from '../support/here.ts'
import { proxyTo } from '../support/proxy.ts'

/** A statement that runs alone, and how to break it off in the middle. */
interface Case {
  readonly statement: string
  /** By the superuser, in a transaction that holds the statement up. */
  readonly hold: string
  /** Where it may wait earlier as well: how one sees that it has come so far. */
  readonly heldWhen?: string
  /** What the run says that mends it. */
  readonly mends: RegExp | undefined
  /** Said where the server has gone on without its client. */
  readonly goesOn: RegExp
  /** True where all is as if nothing had been broken off. */
  readonly isDone: string
}

const again = /goes on at statement 2 of 3/
const done = /statement 2 of 0001_a\.sql is done: only its end was not written down/
const setup = `
  create table journal (step int);
  create table leads (id int, email text);
  create index old_index on leads (id);
  create table parent (id int) partition by range (id);
  create table part partition of parent for values from (0) to (10);
  create index part_index on part (id);
  cluster part using part_index;
  create schema own; create table own.things (id int primary key);
  insert into leads select n, n::text from generate_series(1, 100) as n;`
// Nobody but a superuser may drop what is left of a TOAST table.
const noneInvalid = `not exists (select from pg_index where not indisvalid and indexrelid::regclass::text !~ '^pg_toast')
  and not exists (select from pg_class where relname ~ '^old.*_cc(new|old)')`
const writer = 'insert into leads values (0)'

const cases: readonly Case[] = [
  {
    statement: 'create index concurrently leads_email on leads (email)',
    hold: writer,
    mends:
      /index public\.leads_email on public\.leads is INVALID, .*: this run drops it, and builds it again/,
    goesOn: done,
    isDone: `to_regclass('leads_email') is not null and ${noneInvalid}`,
  },
  {
    statement: 'create unique index concurrently on leads (lower(email)) where id > 0',
    hold: writer,
    mends: /index public\.leads_lower_idx on public\.leads is INVALID/,
    goesOn: done,
    isDone: `(select count(*) = 2 from pg_index where indrelid = 'leads'::regclass) and ${noneInvalid}`,
  },
  {
    statement: 'drop index concurrently old_index',
    hold: 'lock table leads in access share mode; select from leads where id = 1',
    mends: undefined,
    goesOn: done,
    isDone: `to_regclass('old_index') is null and ${noneInvalid}`,
  },
  {
    statement: 'reindex index concurrently old_index',
    hold: writer,
    mends: /index public\.old_index_ccnew on public\.leads is INVALID/,
    goesOn: again,
    isDone: `to_regclass('old_index') is not null and ${noneInvalid}`,
  },
  {
    statement: 'reindex table concurrently leads',
    // No writer, so that only the last phase waits, in which the old index is dropped.
    hold: 'lock table leads in access share mode',
    heldWhen: `to_regclass('old_index_ccold') is not null`,
    mends: /index public\.old_index_ccold on public\.leads is INVALID/,
    goesOn: again,
    isDone: `to_regclass('old_index') is not null and ${noneInvalid}`,
  },
  {
    statement: 'alter table parent detach partition part concurrently',
    hold: 'lock table parent in access share mode',
    mends:
      /partition public\.part of public\.parent is half detached, .*: this run brings that to its end/,
    goesOn: done,
    isDone: `not exists (select from pg_inherits)`,
  },
  {
    statement: 'vacuum leads',
    hold: 'lock table leads in share update exclusive mode',
    mends: undefined,
    goesOn: again,
    isDone: 'true',
  },
  {
    statement: 'cluster',
    hold: 'lock table part in access share mode',
    mends: undefined,
    goesOn: again,
    isDone: 'true',
  },
  {
    statement: 'reindex schema own',
    hold: 'lock table own.things in share update exclusive mode',
    mends: undefined,
    goesOn: again,
    isDone: noneInvalid,
  },
]

/** Waits until the statement of the run waits for somebody, bounded. */
async function assertHeldUp(db: Database, run: string, heldWhen = 'true'): Promise<void> {
  const deadlineMs = performance.now() + 15_000
  for (;;) {
    const [row] = await db.sql<{ count: number }>(`
      select count(*)::int from pg_stat_activity
      where application_name = 'lockstep/${run}/test' and state = 'active' and wait_event_type = 'Lock'
        and ${heldWhen}`)
    if (row?.count === 1) return
    assert.ok(performance.now() < deadlineMs, 'the statement was never held up')
  }
}

async function begun(db: Database, { statement, hold, heldWhen }: Case) {
  await db.sql(setup)
  await using held = new AsyncDisposableStack()
  const folder = held.use(
    folderOf({
      '0001_a.sql': `-- lockstep: no-transaction
      insert into journal values (1); ${statement}; insert into journal values (3);`,
    }),
  )
  const proxy = held.use(await proxyTo(db.url))
  const env = { LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_CONNECT_WAIT: '20s' }
  await db.superuser(`begin; ${hold}`)
  const running = startHere(proxy.url, folder.path, env)
  held.defer(async () => {
    running.stop(new Failure('INTERRUPTED', 'the test has ended'))
    await running.ended
  })
  await assertHeldUp(db, running.id, heldWhen)
  const rest = held.move()
  return {
    running,
    proxy,
    runAgain: () => runHere(db.url, folder.path, env),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

async function assertDoneOnce(db: Database, { isDone }: Case, said: string): Promise<void> {
  assert.deepEqual(
    await db.sql('select step from journal order by step'),
    [{ step: 1 }, { step: 3 }],
    said,
  )
  assert.deepEqual(await db.sql(`select (${isDone}) as "isDone"`), [{ isDone: true }], said)
  assert.deepEqual(await db.sql('select * from lockstep.step'), [], said)
  assert.deepEqual(await db.sql('select name, how from lockstep.ledger'), [
    { name: '0001_a.sql', how: 'statements' },
  ])
}

for (const each of cases) {
  const { statement, mends, goesOn } = each
  describe(statement, () => {
    test('its backend is killed: the run mends what is left, and goes on', async () => {
      await using db = await freshDatabase()
      await using broken = await begun(db, each)
      await db.sql(`select pg_terminate_backend(pid, 5000) from pg_stat_activity
        where application_name = 'lockstep/${broken.running.id}/test'`)
      await db.superuser('rollback')
      const { failure, said } = await broken.running.ended
      assert.equal(failure, undefined, said)
      assert.match(said, mends ?? again)
      await assertDoneOnce(db, each, said)
    })

    test('its runner is stopped: it is cancelled, what is left is told, and the next run mends it', async () => {
      await using db = await freshDatabase()
      await using broken = await begun(db, each)
      broken.running.stop(new Failure('INTERRUPTED', 'stopped by SIGTERM'))
      const { failure } = await broken.running.ended
      assert.equal(failure?.code, 'INTERRUPTED')
      assert.match(told(failure), /0001_a\.sql: 1 statement done and kept/)
      const [what = ''] = mends?.source.split(',') ?? []
      if (mends !== undefined) assert.match(told(failure), new RegExp(`${what}.*: the next run`))
      await db.superuser('rollback')
      const next = await broken.runAgain()
      assert.equal(next.failure, undefined, next.said)
      assert.match(next.said, mends ?? again)
      await assertDoneOnce(db, each, next.said)
    })

    test('its client is gone: the server goes on, and the run sees what it has done', async () => {
      await using db = await freshDatabase()
      await using broken = await begun(db, each)
      broken.proxy.cut()
      await db.superuser('rollback')
      const { failure, said } = await broken.running.ended
      assert.equal(failure, undefined, said)
      assert.match(said, goesOn)
      if (mends !== undefined) assert.doesNotMatch(said, mends)
      await assertDoneOnce(db, each, said)
    })
  })
}
