import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count, eventsOf, prepared, runGuarded } from '../support/guarded-run.ts'
import { guardTables } from '../support/mutants.ts'

const header = '-- lockstep: no-transaction\n'

test('each statement in a transaction of its own is guarded, and those before it stay', async () => {
  await using db = await prepared()
  const file = `${header}insert into other values (9, 9); create index concurrently on leads (email);
    delete from leads where id > 7; insert into other values (10, 10);`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(ran.failure?.code, 'GUARD_VIOLATED')
  assert.match(ran.said, /^1_a\.sql would lose 3 rows of leads\n/)
  assert.equal(await count(db, 'leads'), 10)
  assert.equal(await count(db, 'other'), 6)
  const steps = await db.sql('select ordinal, state from lockstep.step order by ordinal')
  assert.deepEqual(steps, [
    { ordinal: 1, state: 'done' },
    { ordinal: 2, state: 'done' },
  ])
})

test('a suspicion is decided exactly, for the one statement', async () => {
  await using db = await prepared()
  const file = `${header}insert into other values (9, 9); update visits set day = '2020-05-01' where id < 4; vacuum visits;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(ran.said, '')
  const notes = eventsOf(ran, 'note').map(({ text }) => text)
  assert.equal(notes.filter((text) => text.includes('run once more, to tell exactly')).length, 1)
  assert.equal(await count(db, 'other'), 6)
  assert.equal(await count(db, 'visits'), 20)
})

test('a bound is for all statements together, those of an earlier run among them', async () => {
  await using db = await prepared()
  const file = `${header}-- lockstep: allow delete <= 3 on clicks
    delete from clicks where lead < 3; select 1 / (select count(*)::int from other where id = 99); delete from clicks where lead in (5, 6);`
  const first = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(first.failure?.code, 'SQL_FAILED')
  assert.equal(await count(db, 'clicks'), 8)
  await db.sql('insert into other values (99, 1)')
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.match(ran.said, /would lose up to 2 rows of clicks/)
  assert.equal(await count(db, 'clicks'), 8)
  const wider = file.replace('<= 3', '<= 4')
  const last = await runGuarded(db.url, { '1_a.sql': wider }, guardTables)
  assert.equal(last.said, '')
  assert.equal(await count(db, 'clicks'), 6)
})

test('what the statements did is summed up in the row of the file', async () => {
  await using db = await prepared()
  const file = `${header}-- lockstep: allow delete on clicks
    create table made (id int primary key); insert into made values (1), (2); vacuum made;
    insert into made values (3); delete from clicks where lead < 3; create index on made (id);
    update clicks set page = 'x'; drop table other;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(ran.said, '')
  const [applied] = eventsOf(ran, 'applied')
  const named = applied?.effects.tables.toSorted((a, b) => a.table.localeCompare(b.table))
  const { root } = named?.[0] ?? {}
  assert.ok(root !== undefined)
  assert.deepEqual(named, [
    { table: 'public.clicks', lock: 'ROW EXCLUSIVE', updated: 8, deleted: 2, root },
    { table: 'public.made', change: 'created', lock: 'SHARE', inserted: 3 },
    { table: 'public.other', change: 'dropped', lock: 'ACCESS EXCLUSIVE' },
  ])
  assert.deepEqual(
    applied?.effects.indexes.map(({ index, change }) => `${change} ${index}`),
    ['created public.made_pkey', 'created public.made_id_idx', 'dropped public.other_pkey'],
  )
  assert.deepEqual(
    applied.allowed.map(({ table, what, rows }) => ({ table, what, rows })),
    [{ table: 'public.clicks', what: 'delete', rows: 2 }],
  )
  const [row] = await db.sql<{ tables: number; losses: number }>(`
    select jsonb_array_length(effects -> 'tables') as tables, jsonb_array_length(guard) as losses
    from lockstep.ledger`)
  assert.deepEqual(row, { tables: 3, losses: 1 })
})

test('to detach a partition concurrently is refused before it runs, and may be allowed', async () => {
  await using db = await prepared()
  const detach = 'alter table visits detach partition visits_2019 concurrently;'
  const ran = await runGuarded(db.url, { '1_a.sql': header + detach }, guardTables)
  assert.equal(
    ran.said,
    `statement 1 of 1_a.sql would detach visits_2019 from visits
it has not been run
if it is meant, write above its first statement:
-- lockstep: allow detach on visits`,
  )
  assert.equal(await count(db, 'visits'), 20)
  assert.deepEqual(await db.sql('select from lockstep.step'), [])
  const allowed = `${header}-- lockstep: allow detach on visits_2019\n${detach}`
  assert.equal((await runGuarded(db.url, { '1_a.sql': allowed }, guardTables)).said, '')
  assert.equal(await count(db, 'visits'), 10)
})

test('leave to detach for a table is for all of its partitions', async () => {
  await using db = await prepared()
  const file = `${header}-- lockstep: allow detach on visits\nalter table visits detach partition visits_2019 concurrently;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(ran.said, '')
  assert.equal(await count(db, 'visits'), 10)
})

test('what is taken back of a half-done file is not what the file deletes', async () => {
  await using db = await prepared()
  const file = `${header}create unique index concurrently on clicks (page); insert into other values (9, 9); select 1;`
  const first = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(first.failure?.code, 'SQL_FAILED')
  await db.sql('update clicks set page = lead::text')
  assert.equal((await runGuarded(db.url, { '1_a.sql': file }, guardTables)).said, '')
})

test('leave to drop is none to detach', async () => {
  await using db = await prepared()
  const file = `${header}-- lockstep: allow drop on visits\nalter table visits detach partition visits_2019 concurrently;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.match(ran.said, /^statement 1 of 1_a\.sql would detach visits_2019 from visits\n/)
})

test('what a statement alone has taken away ends the run, and the next goes on behind it', async () => {
  await using db = await prepared()
  await db.sql(`
    create function takes() returns int language plpgsql as $$ begin drop table if exists public.visits_2019; return 1; end $$;
    create function looks_harmless(id int) returns int language sql immutable as $$ select public.takes() $$`)
  const file = `${header}create index concurrently on other (looks_harmless(id)); insert into other values (9, 9);`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(
    ran.said,
    `statement 1 of 1_a.sql has taken visits_2019 from visits
it ran outside of a transaction: it cannot be rolled back, and is recorded as done
look what is lost; the next run goes on behind it`,
  )
  assert.equal((await runGuarded(db.url, { '1_a.sql': file }, guardTables)).said, '')
})

test('a statement that empties the steps of its own file is caught', async () => {
  await using db = await prepared()
  const file = `${header}select 1; delete from lockstep.step where ordinal = 1; select 2;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.match(ran.said, /no file may do that to the ledger/)
})

test('sessions that a pooler lends are guarded, too', async () => {
  await using db = await prepared()
  const shared = { LOCKSTEP_POOLER: 'allow' }
  const run = async (sql: string) =>
    (await runGuarded(db.url, { '1_a.sql': sql }, guardTables, shared)).said
  assert.match(await run('delete from leads where id < 3;'), /would lose 2 rows of leads/)
  assert.match(await run('truncate notes;'), /would lose 5 rows of notes/)
  assert.equal(await run(`update visits set day = '2020-05-01' where id < 4;`), '')
})
