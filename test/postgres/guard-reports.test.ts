import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StatusDocument } from '../../src/status-document.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { eventsOf, prepared, runGuarded, type GuardedRun } from '../support/guarded-run.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram } from '../support/program.ts'

const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)

function warnings(ran: GuardedRun): string[] {
  return eventsOf(ran, 'warning').map(({ text }) => text)
}

test('rows are counted before and behind, and the difference is explained', async () => {
  await using db = await prepared()
  const files = {
    '1_a.sql': `insert into leads (email) select 'x' from generate_series(1, 4);`,
    '2_b.sql': '-- lockstep: allow delete on leads\ndelete from leads where id = 10;',
    '3_c.sql': 'create table faqs (id int primary key); insert into faqs values (1), (2);',
  }
  const env = { LOCKSTEP_GUARD_TABLES: 'leads,visits,faqs', LOCKSTEP_BASELINE: 'ignore' }
  assertSucceeded(
    await migrateFiles(db, files, env),
    /^guard +leads 10, visits 20; faqs not there yet$/m,
    /^applied +2_b.sql in \S+ m?s, leads: it is allowed to delete 1 row; leads 1 deleted$/m,
    /^applied +3_c.sql in \S+ m?s, faqs created, 2 inserted; 1 index created$/m,
    /^verified .*; guarded rows: leads 13 \(10 before: 4 inserted, 1 deleted\), visits 20, faqs 2$/m,
  )
})

test('what event triggers write while the ledger is made is not what the first file does', async () => {
  await using db = await prepared()
  await db.superuser(`
    create table log (tag text);
    create function log() returns event_trigger security definer language plpgsql as
      $$ begin insert into public.log values (tg_tag); end $$;
    create event trigger log on ddl_command_end execute function log()`)
  const ran = await runGuarded(db.superuserUrl, { '1_a.sql': 'create table a ();' }, 'log')
  assert.equal(ran.said, '')
  const [applied] = eventsOf(ran, 'applied')
  const logged = applied?.effects.tables.find(({ table }) => table === 'public.log')
  // PostgreSQL 14 sends figures when it likes.
  if (major >= 15) assert.equal(logged?.inserted, 1)
  else assert.ok(logged?.inserted)
})

test('beyond the budget estimates are told, marked as such', async () => {
  await using db = await prepared()
  await db.sql('analyze leads, visits')
  const budget = { LOCKSTEP_GUARD_COUNT_BUDGET: '0' }
  const ran = await runGuarded(db.url, { '1_a.sql': 'select 1;' }, 'leads,visits,clicks', budget)
  assert.deepEqual(eventsOf(ran, 'guard')[0]?.tables, [
    { table: 'public.leads', rows: 10, isEstimate: true },
    { table: 'public.visits', rows: 20, isEstimate: true },
    { table: 'public.clicks', rows: undefined, isEstimate: true },
  ])
})

test('a table that cannot be counted in time, or not by this role, holds nobody up', async () => {
  await using db = await prepared()
  await db.superuser('alter table notes owner to postgres')
  await db.sql('analyze people')
  await db.sql('begin; lock table leads')
  try {
    const env = { LOCKSTEP_GUARD_COUNT_BUDGET: '300ms' }
    const ran = await runGuarded(db.url, { '1_a.sql': 'select 1;' }, 'leads,notes,people', env)
    assert.equal(ran.said, '')
    assert.deepEqual(eventsOf(ran, 'guard')[0]?.tables, [
      { table: 'public.leads', rows: undefined, isEstimate: true },
      { table: 'public.notes', rows: undefined, isEstimate: true },
      { table: 'public.people', rows: 9, isEstimate: false },
    ])
  } finally {
    await db.sql('rollback')
  }
})

test('a name that no table has is a warning with the nearest name, in status, too', async () => {
  await using db = await prepared()
  using folder = folderOf({ '1_a.sql': 'select 1;' })
  const env = {
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_GUARD_TABLES: 'leads,pepole,crm.faqs,archive.*',
  }
  const said = [
    'LOCKSTEP_GUARD_TABLES names pepole, and there is no such table; is people meant?',
    'LOCKSTEP_GUARD_TABLES names crm.faqs, and there is no such table',
    'LOCKSTEP_GUARD_TABLES names archive.*, and there is no such table',
  ]
  const ran = await runProgram({ env })
  assertSucceeded(ran, ...said.map((text) => `warning    ${text}`))
  const json = await runProgram({ env, args: ['status', '--json'] })
  const document: StatusDocument = JSON.parse(json.stdout)
  assert.deepEqual(document.unguarded, said)
  const text = await runProgram({ env, args: ['status'] })
  assert.ok(text.stdout.includes(`guard      ${said[0]}\n           ${said[1]}`), text.stdout)
})

test('what has a guarded name and is no table is told to guard nothing', async () => {
  await using db = await prepared()
  await db.sql('create view open_leads as select * from leads; create sequence numbers')
  const ran = await runGuarded(db.url, { '1_a.sql': 'select 1;' }, 'open_leads,numbers')
  assert.deepEqual(warnings(ran), [
    'public.open_leads is not guarded: it is a view; name the tables that it reads',
    'public.numbers is not guarded: it is a sequence',
  ])
})

test('a schema that the role may not use ends the run before any file', async () => {
  await using db = await prepared()
  await db.superuser('create schema hidden; create table hidden.faqs (id int)')
  const env = { LOCKSTEP_GUARD_TABLES: 'hidden.faqs', LOCKSTEP_BASELINE: 'ignore' }
  const ran = await migrateFiles(db, { '1_a.sql': 'select 1;' }, env)
  assertFailed(ran, 64, 'CONFIG_INVALID', 'permission denied for schema hidden')
})

test('without a guarded table one line says so, and lost rows anywhere are a warning', async () => {
  await using db = await prepared()
  await db.sql('analyze notes')
  const ran = await runGuarded(
    db.url,
    {
      '1_a.sql': 'select 1;',
      '2_b.sql': 'delete from people where id = 5;',
      '3_c.sql': 'truncate notes; drop table clicks;',
      '4_d.sql': 'alter table other add column token double precision default random();',
    },
    '',
  )
  assert.deepEqual(eventsOf(ran, 'guard'), [{ checkpoint: 'guard', tables: [], missing: [] }])
  assert.deepEqual(warnings(ran), [
    '2_b.sql deleted 1 row of public.people, deleted 1 row of public.staff; no table is guarded',
    '3_c.sql truncated public.notes, dropped public.clicks; no table is guarded',
  ])
})

test('effects are in the event, in the ledger and in status: the same', async () => {
  await using db = await prepared()
  using folder = folderOf({
    '1_a.sql': `create table made (id int primary key); create index on leads (email); drop table other;
      insert into leads (email) values ('x'), ('y'); update leads set score = 'mid' where id < 4;
      delete from clicks where lead < 3; alter table people add column token double precision default random();`,
  })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_BASELINE: 'ignore' }
  assertSucceeded(await runProgram({ env }))
  const json = await runProgram({ env, args: ['status', '--json'] })
  const document: StatusDocument = JSON.parse(json.stdout)
  const { effects, allowed } = document.files[0] ?? assert.fail('no file')
  assert.ok(effects)
  const { transactionMs, tables, indexes } = effects
  assert.ok(transactionMs > 0 && transactionMs < 30_000)
  assert.deepEqual(allowed, [])
  assert.deepEqual(
    tables.toSorted((a, b) => a.table.localeCompare(b.table)),
    [
      { table: 'public.clicks', lock: 'ROW EXCLUSIVE', deleted: 2 },
      { table: 'public.leads', lock: 'SHARE', inserted: 2, updated: 3 },
      { table: 'public.made', change: 'created' },
      { table: 'public.other', change: 'dropped', lock: 'ACCESS EXCLUSIVE' },
      { table: 'public.people', change: 'rewritten', lock: 'ACCESS EXCLUSIVE' },
      { table: 'public.staff', change: 'rewritten', lock: 'ACCESS EXCLUSIVE' },
    ],
  )
  const changed = indexes.map(({ index, change }) => `${change} ${index}`).toSorted()
  assert.deepEqual(changed, [
    'created public.leads_email_idx',
    'created public.made_pkey',
    'dropped public.other_pkey',
    'rewritten public.people_pkey',
    'rewritten public.staff_pkey',
  ])
  const [row] = await db.sql<{ n: number }>(
    `select jsonb_array_length(effects -> 'tables') as n from lockstep.ledger`,
  )
  assert.equal(row?.n, 6)
})

test('of very many tables the first are named, and the rest is counted', async () => {
  await using db = await freshDatabase()
  const many = Array.from({ length: 130 }, (_, i) => `create table t${i} (id int primary key);`)
  const ran = await runGuarded(db.url, { '1_a.sql': many.join('') }, '*')
  const [applied] = eventsOf(ran, 'applied')
  assert.equal(applied?.effects.tables.length, 100)
  assert.equal(applied.effects.moreTables, 30)
  assert.equal(applied.effects.moreIndexes, 30)
})

test('a baseline tells its effects with its last file', async () => {
  await using db = await freshDatabase()
  const files = {
    'baseline.sql': '-- lockstep: baseline 2\ncreate table a (id int); create table b (id int);',
    '1_a.sql': 'create table a (id int);',
    '2_b.sql': 'create table b (id int);',
  }
  assertSucceeded(await migrateFiles(db, files), 'a created; b created')
  const rows = await db.sql(
    `select name, effects is not null as told from lockstep.ledger order by id`,
  )
  assert.deepEqual(rows, [
    { name: '1_a.sql', told: false },
    { name: '2_b.sql', told: true },
  ])
})
