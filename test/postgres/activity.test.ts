import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Progress } from '../../src/events.ts'
import { activityOf } from '../../src/postgres/activity.ts'
import type { Session } from '../../src/postgres/session.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { openConfirmed } from '../support/session.ts'

/** Tables of some pages, and a function that needs a while for each row where that is set. */
const slowTables = `
  create function slow(id int) returns int immutable language plpgsql
    as $$ begin perform pg_sleep(current_setting('app.pause')::float8); return id; end $$;
  set app.pause = '0';
  create table wide as select id, repeat('x', 1000) as text from generate_series(1, 1000) id;
  create table indexed as select id from generate_series(1, 500) id;
  create index indexed_id on indexed (id);
  create index on indexed (slow(id));`

/** What is told of a statement of a superuser while it runs, as soon as that is like this. */
async function progressOf(
  db: Database,
  on: Session,
  statement: string,
  isIt: (progress: Progress) => boolean,
): Promise<void> {
  // As a superuser, from whom nothing is hidden.
  await using other = await openConfirmed({ url: db.superuserUrl })
  const pid = other.backend
  await other.execute(
    'set app.pause = 0.01; set vacuum_cost_delay = 100; set vacuum_cost_limit = 1',
  )
  const running = other.execute(statement)
  running.catch(() => undefined)
  const deadlineMs = performance.now() + 10_000
  for (;;) {
    const activity = await activityOf(on, pid)
    if (activity?.progress && isIt(activity.progress)) break
    const seen = JSON.stringify(activity)
    assert.ok(performance.now() < deadlineMs, `${statement}: ${seen}`)
  }
  await db.superuser(`select pg_cancel_backend(${pid})`)
  await assert.rejects(running)
}

for (const [what, statement, isIt] of [
  [
    'CREATE INDEX, with what share of the table is read',
    'create index on wide (slow(id))',
    ({ command, phase, percent = 0 }) =>
      command === 'CREATE INDEX' && phase === 'building index: scanning table' && percent > 0,
  ],
  [
    'VACUUM, with what share of the table is read',
    'vacuum (freeze) wide',
    ({ command, phase, percent = 0 }) =>
      command === 'VACUUM' && phase === 'scanning heap' && percent > 0,
  ],
  [
    'VACUUM FULL, with the rows that are written',
    'vacuum full indexed',
    ({ command, phase, rows }) =>
      command === 'VACUUM FULL' && phase === 'rebuilding index' && rows === 500,
  ],
  [
    'CLUSTER, with the rows that are written',
    'cluster indexed using indexed_id',
    ({ command, phase, rows }) =>
      command === 'CLUSTER' && phase === 'rebuilding index' && rows === 500,
  ],
  [
    'COPY, with its rows',
    `copy (select slow(id) from wide) to '/dev/null'`,
    ({ command, rows = 0 }) => command === 'COPY' && rows > 0,
  ],
  [
    'ANALYZE, with what share of the sample is read',
    'analyze indexed',
    ({ command, phase, percent }) =>
      command === 'ANALYZE' && phase === 'computing statistics' && percent === 100,
  ],
] as const satisfies readonly (readonly [string, string, (progress: Progress) => boolean])[]) {
  test(`progress is told of ${what}`, async () => {
    await using db = await freshDatabase()
    await using on = await openConfirmed({ url: db.superuserUrl })
    await db.superuser(slowTables)
    await progressOf(db, on, statement, isIt)
  })
}
