import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import { freshDatabase, withClient, type Database } from './database.ts'
import { told } from './failure.ts'
import { folderOf } from './folder.ts'
import { runHere, startHere } from './here.ts'
import { proxyTo } from './proxy.ts'

/** A statement that runs alone, and how to break it off in the middle. */
export interface BrokenOff {
  readonly statement: string
  /** What must be there, a statement each; and what is in the way of the next. */
  readonly setup: readonly string[]
  readonly cleanup?: readonly string[]
  readonly asSuperuser?: boolean
  /** By the superuser, in a transaction that holds the statement up. */
  readonly hold: string
  /** Where it may wait earlier as well: how one sees that it has come so far. */
  readonly heldWhen?: string
  /** What the run says that mends it. */
  readonly mends: RegExp | undefined
  /** Said where the server has gone on without its client. */
  readonly goesOn: RegExp
  /** An expression: all is as if nothing had been broken off. */
  readonly isDone: string
}

/** What a run says of a statement that was broken off. */
export const again = /goes on at statement 2 of 3/
export const done = /statement 2 of 0001_a\.sql is done: only its end was not written down/

/**
 * Waits until the statement of the run waits for somebody, bounded. Not within the transaction that
 * holds it up: a statement that waits for older snapshots would meet one of ours there, and come no
 * further.
 */
async function assertHeldUp(db: Database, run: string, heldWhen = 'true'): Promise<void> {
  const deadlineMs = performance.now() + 15_000
  await withClient(db.superuserUrl, async (watcher) => {
    for (;;) {
      const rows = await watcher.unsafe(`
        select from pg_stat_activity
        where application_name = 'lockstep/${run}/test' and state = 'active' and wait_event_type = 'Lock'
          and ${heldWhen}`)
      if (rows.length === 1) return
      assert.ok(performance.now() < deadlineMs, 'the statement was never held up')
    }
  })
}

async function begun(db: Database, each: BrokenOff) {
  const { statement, hold, heldWhen, asSuperuser = false } = each
  const url = asSuperuser ? db.superuserUrl : db.url
  for (const text of each.setup) {
    if (asSuperuser) await db.superuser(text)
    else await db.sql(text)
  }
  await using held = new AsyncDisposableStack()
  held.defer(async () => {
    for (const text of each.cleanup ?? []) await db.superuser(text)
  })
  await db.sql('create table journal (step int)')
  const folder = held.use(
    folderOf({
      '0001_a.sql': `-- lockstep: no-transaction
      insert into journal values (1); ${statement}; insert into journal values (3);`,
    }),
  )
  const proxy = held.use(await proxyTo(url))
  const env = { LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_CONNECT_WAIT: '20s' }
  await db.superuser(`begin; ${hold}`)
  held.defer(async () => {
    await db.superuser('rollback')
  })
  const running = startHere({ DATABASE_URL: proxy.url, LOCKSTEP_DIR: folder.path, ...env })
  held.defer(async () => {
    running.stop(new Failure('INTERRUPTED', 'the test has ended'))
    await running.ended
  })
  await assertHeldUp(db, running.id, heldWhen)
  const rest = held.move()
  return {
    running,
    proxy,
    runAgain: () => runHere({ DATABASE_URL: url, LOCKSTEP_DIR: folder.path, ...env }),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

async function assertDoneOnce(db: Database, { isDone }: BrokenOff, said: string): Promise<void> {
  assert.deepEqual(
    await db.superuser('select step from journal order by step'),
    [{ step: 1 }, { step: 3 }],
    said,
  )
  assert.deepEqual(await db.superuser(`select (${isDone}) as "isDone"`), [{ isDone: true }], said)
  assert.deepEqual(await db.superuser('select * from lockstep.step'), [], said)
  assert.deepEqual(await db.superuser('select name, how from lockstep.ledger'), [
    { name: '0001_a.sql', how: 'statements' },
  ])
}

/** Breaks it off in three ways: whatever happens, all of the file is done once. */
export function testBrokenOff(each: BrokenOff): void {
  const { statement, mends, goesOn } = each
  describe(statement, () => {
    test('its backend is killed: the run mends what is left, and goes on', async () => {
      await using db = await freshDatabase()
      await using broken = await begun(db, each)
      await db.superuser(`select pg_terminate_backend(pid, 5000) from pg_stat_activity
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
