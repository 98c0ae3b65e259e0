import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { amendLedger } from '../../src/postgres/ledger.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram } from '../support/program.ts'
import { openConfirmed } from '../support/session.ts'

function open(id: number, previous: number, key = 1): string {
  const rest = `9, '9_${id}.sql', 'x', '{}', 'normal', 'transaction', null, '{}', 'test', '', true`
  return `select lockstep.open(${key}, ${id}, ${previous}, ${rest})`
}

const two = { '0001_a.sql': 'create table a (id int);', '0002_b.sql': 'create table b (id int);' }

// The ledger is a promise over releases: a column that goes or changes breaks older programs.
test('the tables and columns of the ledger are those that are written down', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, two))
  const columns = await db.sql<{ line: string }>(`
    select table_name || '.' || column_name || ' ' || udt_name
      || case is_nullable when 'NO' then ' not null' else '' end
      || case when column_default is null then '' else ' default' end as line
    from information_schema.columns where table_schema = 'lockstep' order by table_name, ordinal_position`)
  assert.deepEqual(
    columns.map(({ line }) => line),
    [
      'ledger.id int8 not null',
      'ledger.previous int8 not null',
      'ledger.chained bool not null',
      'ledger.version numeric not null',
      'ledger.name text not null',
      'ledger.checksum text not null',
      'ledger.meanings _text not null default',
      'ledger.kind text not null default',
      'ledger.how text not null',
      'ledger.breaks_before numeric',
      'ledger.over _int8 not null default',
      'ledger.run text not null',
      'ledger.started timestamptz not null default',
      'ledger.finished timestamptz',
      'ledger.flushed bool not null default',
      'ledger.guard jsonb',
      'ledger.effects jsonb',
      'ledger.digests text not null default',
      'run.id text not null',
      'run.set_checksum text not null',
      'run.phase text',
      'run.state text not null',
      'run.file_begun text',
      'run.exit_code int4',
      'run.reason text',
      'run.pod text',
      'run.image text',
      'run.role text not null default',
      'run.started timestamptz not null default',
      'run.finished timestamptz',
      'step.file text not null',
      'step.ordinal int4 not null',
      'step.meaning text not null',
      'step.state text not null',
      'step.before jsonb',
      'step.did jsonb',
    ],
  )
  const rows =
    await db.sql(`select id::int, previous::int, chained, version::text, name, checksum, kind, how, over, flushed,
    finished >= started as "inOrder" from lockstep.ledger order by id`)
  const same = {
    chained: true,
    kind: 'normal',
    how: 'transaction',
    over: '{}',
    inOrder: true,
  }
  const expected = Object.entries(two).map(([name, text], index) => {
    const checksum = hash('sha256', text)
    // The COMMIT of the last is waited for, and flushes the one before it, too.
    const own = { name, checksum, flushed: index === 1 }
    return { id: index + 1, previous: index, version: `${index + 1}`, ...own, ...same }
  })
  assert.deepEqual(rows, expected)
})

test('a row without the row before it, or a second one behind the same, cannot be written', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, two))
  await assert.rejects(db.sql(open(9, 8)), { code: '23502' })
  await assert.rejects(db.sql(open(9, 1)), { code: '23505' })
  await assert.rejects(db.sql(open(2, 2)), { code: '23505' })
  await assert.rejects(db.sql(open(3, 2).replace('9_3.sql', '0001_a.sql')), { code: 'LS002' })
  // Also where triggers and foreign keys do not fire.
  await assert.rejects(db.superuser(`set session_replication_role = replica; ${open(9, 8)}`), {
    code: '23502',
  })
  await db.sql('select pg_advisory_lock(77)')
  await assert.rejects(db.superuser(open(3, 2, 77)), { code: 'LS001' })
})

test('a ledger of a newer major format is refused, one of a newer minor format is read and written', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, { '0001_a.sql': two['0001_a.sql'] }))
  const setFormat = (format: string) =>
    db.sql(
      `create or replace function lockstep.format() returns text language sql immutable as $$ select '${format}' $$`,
    )
  await setFormat('2.0')
  assertFailed(
    await migrateFiles(db, two),
    1,
    'LEDGER_TOO_NEW',
    'the ledger has format 2.0; this program understands 1.x',
  )
  await db.sql('alter table lockstep.ledger rename column checksum to digest')
  assertFailed(await migrateFiles(db, two), 1, 'LEDGER_TOO_NEW')
  await db.sql('alter table lockstep.ledger rename column digest to checksum')
  await db.sql(`alter table lockstep.ledger add column novel text not null default 'x'`)
  await setFormat('1.7')
  assertSucceeded(await migrateFiles(db, two), '1 file applied')
  assert.deepEqual(await db.sql('select lockstep.format()'), [{ format: '1.7' }])
})

test('an older minor format is brought up to date by a run that has work to do', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, { '0001_a.sql': two['0001_a.sql'] }))
  await db.sql(`create or replace function lockstep.format() returns text language sql immutable as $$ select '0.9' $$;
    drop function lockstep.held()`)
  assertSucceeded(await migrateFiles(db, two), '1 file applied')
  assert.deepEqual(
    await db.sql(`select lockstep.format(), to_regproc('lockstep.held') is not null as held`),
    [{ format: '1.0', held: true }],
  )
})

test('a ledger that contradicts itself is refused, naming the row', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, two))
  await db.sql('update lockstep.ledger set finished = null where id = 2')
  assertFailed(
    await migrateFiles(db, two),
    1,
    'LEDGER_DAMAGED',
    'row 2 (0002_b.sql) was begun and never finished',
  )
  await db.sql(
    'delete from lockstep.ledger where id = 1; update lockstep.ledger set finished = now()',
  )
  assertFailed(
    await migrateFiles(db, two),
    1,
    'LEDGER_DAMAGED',
    'row 2 (0002_b.sql) refers to row 1',
  )
  await db.sql('drop table lockstep.ledger')
  assertFailed(await migrateFiles(db, two), 1, 'LEDGER_DAMAGED', 'a part of a ledger only')
})

test('rows of a relaxed commit are made durable before a run says that nothing is to do', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, two))
  await db.sql('update lockstep.ledger set flushed = false')
  const ran = await migrateFiles(db, two)
  assertSucceeded(ran, /^lock +taken/m)
  assert.deepEqual(await db.sql('select flushed from lockstep.ledger order by id desc limit 1'), [
    { flushed: true },
  ])
  assertSucceeded(await migrateFiles(db, two), 'nothing to do')
})

test('a role without CREATE on the database can use a schema that exists, and is told what it lacks otherwise', async () => {
  await using db = await freshDatabase()
  await db.superuser(`alter database ${db.name} owner to postgres`)
  await db.superuser('grant create on schema public to lockstep_test')
  assertFailed(
    await migrateFiles(db, two),
    64,
    'PRIVILEGE_MISSING',
    'create schema "lockstep" authorization ROLE',
  )
  await db.superuser('create schema lockstep authorization lockstep_test')
  assertSucceeded(await migrateFiles(db, two), '2 files applied')
})

test('a role that may not read the ledger gets the grant that lets it', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(two)
  assertSucceeded(
    await runProgram({ env: { DATABASE_URL: db.superuserUrl, LOCKSTEP_DIR: folder.path } }),
  )
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const grants = [
    'grant usage on schema lockstep to lockstep_test',
    'grant select on all tables in schema lockstep to lockstep_test',
  ]
  for (const grant of grants) {
    assertFailed(
      await runProgram({ env, args: ['status'] }),
      64,
      'PRIVILEGE_MISSING',
      'grant select on all tables',
    )
    await db.superuser(grant)
  }
  const status = await runProgram({ env, args: ['status'] })
  assertSucceeded(status, 'nothing is pending')
})

test('what an extension brought does not count as found, and another role’s objects elsewhere do not either', async () => {
  await using db = await freshDatabase()
  await db.superuser(
    'create extension pgcrypto; create schema theirs; create table theirs.t (id int)',
  )
  assertSucceeded(await migrateFiles(db, two), 'no tables: an empty database')
})

test('the baseline and the history make the same schema and the same rows', async () => {
  await using whole = await freshDatabase()
  await using based = await freshDatabase()
  assertSucceeded(
    await runProgram({ env: { DATABASE_URL: whole.url, LOCKSTEP_BASELINE: 'ignore' } }),
    '17 files applied',
  )
  assertSucceeded(
    await runProgram({ env: { DATABASE_URL: based.url } }),
    '10 by the baseline, 7 applied',
  )
  for (const query of [
    `select c.oid::regclass::text as t, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull,
      pg_get_expr(d.adbin, d.adrelid) as def from pg_attribute a join pg_class c on c.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped order by 1, 3`,
    `select conrelid::regclass::text as t, conname, pg_get_constraintdef(oid) as def, convalidated from pg_constraint
      where connamespace = 'public'::regnamespace order by 1, 2`,
    `select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1`,
    `select tgrelid::regclass::text as t, pg_get_triggerdef(oid) as def from pg_trigger where not tgisinternal order by 1, 2`,
    `select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by 1`,
    `select enumlabel from pg_enum order by enumtypid::regtype::text, enumsortorder`,
    `select viewname, definition from pg_views where schemaname = 'public' order by 1`,
    `select sequencename, last_value from pg_sequences where schemaname = 'public' order by 1`,
    `select c.oid::regclass::text as t, obj_description(c.oid) as comment from pg_class c where relnamespace = 'public'::regnamespace order by 1`,
    `select table_name, query_to_xml(format('select * from %I order by 1', table_name), false, true, '')::text as rows
      from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
  ]) {
    const rows = await whole.sql(query)
    assert.ok(rows.length > 0, query)
    assert.deepEqual(await based.sql(query), rows)
  }
})

test('steps go on under other names, also where two files change names, and behind the fence only', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, two))
  await db.sql(
    `insert into lockstep.step values ('a', 1, 'x', 'done'), ('a', 2, 'y', 'begun'), ('b', 1, 'z', 'done')`,
  )
  const plan = {
    amendments: [],
    takeOvers: [
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ],
  }
  await using session = await openConfirmed(db)
  await amendLedger(session, 'lockstep', 4711n, plan)
  assert.deepEqual(
    await db.sql('select file, ordinal, meaning, state from lockstep.step order by file, ordinal'),
    [
      { file: 'a', ordinal: 1, meaning: 'z', state: 'done' },
      { file: 'b', ordinal: 1, meaning: 'x', state: 'done' },
      { file: 'b', ordinal: 2, meaning: 'y', state: 'begun' },
    ],
  )
  await db.sql('select pg_advisory_lock(4711)')
  await assert.rejects(amendLedger(session, 'lockstep', 4711n, plan), { sqlState: 'LS001' })
})
