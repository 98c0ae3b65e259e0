import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, urlOf, type Database } from '../support/database.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'

async function ledgerNames(db: Database): Promise<string[]> {
  const rows = await db.sql<{ name: string }>('select name from lockstep.ledger order by id')
  return rows.map(({ name }) => name)
}

async function exists(db: Database, name: string): Promise<boolean> {
  const [row] = await db.sql<{ found: boolean }>(
    `select to_regclass('${name}') is not null as found`,
  )
  return row?.found === true
}

// A file that ends its own transaction would keep half of itself whatever happens behind.
for (const [how, text] of [
  ['COMMIT in the middle', 'create table kept (id int); commit; create table behind (id int);'],
  ['COMMIT AND CHAIN', 'create table kept (id int); commit and chain; select 1;'],
  [
    'END, after a SET CONSTRAINTS',
    'create table kept (id int); set constraints all immediate; end;',
  ],
  ['a COMMIT spelt oddly', 'create table kept (id int);/* x */CoMmIt/**/WoRk;select 1/0;'],
  ['a COMMIT and an error behind it', 'create table kept (id int); commit; select 1/0;'],
] as const) {
  test(`a file that ends its transaction is refused, and no file has run: ${how}`, async () => {
    await using db = await freshDatabase()
    const ran = await migrateFiles(db, { '0001_a.sql': 'select 1;', '0002_b.sql': text })
    assertFailed(
      ran,
      1,
      'STATEMENT_REFUSED',
      '0002_b.sql:1:',
      'it begins or ends a transaction, but the file is one transaction already',
    )
    assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as ledger`), [
      { ledger: null },
    ])
  })
}

test('a procedure that commits is refused by the server', async () => {
  await using db = await freshDatabase()
  const procedure = `create procedure p() language plpgsql as $$ begin commit; end $$; call p();`
  assertFailed(await migrateFiles(db, { '0001_a.sql': procedure }), 1, 'SQL_FAILED', '2D000')
})

test('SET CONSTRAINTS, CLOSE ALL and cursors of a file are its own business', async () => {
  await using db = await freshDatabase()
  const file = `
    create table parent (id int primary key);
    create table child (id int references parent deferrable initially deferred);
    set constraints all deferred;
    insert into child values (1);
    insert into parent values (1);
    set constraints all immediate;
    declare mine cursor for select 1;
    close all;
  `
  assertSucceeded(await migrateFiles(db, { '0001_a.sql': file }), '1 file applied')
})

test('a deferred constraint that fails at the end leaves nothing of the file', async () => {
  await using db = await freshDatabase()
  const file = `
    create table parent (id int primary key);
    create table child (id int references parent deferrable initially deferred);
    insert into child values (1);
  `
  assertFailed(
    await migrateFiles(db, { '0001_a.sql': file }),
    1,
    'SQL_FAILED',
    '23503',
    '0001_a.sql',
  )
  assert.equal(await exists(db, 'child'), false)
})

test('nothing that a file sets, opens or creates for itself reaches the next file', async () => {
  await using db = await freshDatabase()
  const first = `
    create schema elsewhere;
    set search_path to elsewhere;
    set statement_timeout = '200ms';
    set lock_timeout = '100ms';
    select set_config('client_' || 'encoding', 'LATIN1', false);
    select set_config('standard_conforming_' || 'strings', 'off', false);
    set default_transaction_read_only = on;
    set session_replication_role to default;
    create temporary table people (id int);
    prepare mine as select 1;
    declare mine cursor with hold for select 1;
    listen anything;
  `
  const second = `
    create table people (name text, path text);
    insert into people values ('é', 'a\\tb');
    prepare mine as select 2;
    declare mine cursor with hold for select 2;
    select pg_sleep(0.4);
  `
  // The role may not set session_replication_role; the line is there for the superuser only.
  const files = { '0001_a.sql': first.replace(/.*replication_role.*\n/, ''), '0002_b.sql': second }
  assertSucceeded(await migrateFiles(db, files), '2 files applied')
  assert.deepEqual(await db.sql('select name, path from public.people'), [
    { name: 'é', path: 'a\\tb' },
  ])
})

test('SET ROLE and SET SESSION AUTHORIZATION end with the file, also for a superuser', async () => {
  await using db = await freshDatabase()
  const ran = await migrateFiles(
    { url: db.superuserUrl },
    {
      '0001_a.sql':
        'grant create on schema public to lockstep_test; set session authorization lockstep_test; create table a (id int);',
      '0002_b.sql': 'set role lockstep_test; create table b (id int);',
      '0003_c.sql': 'create table c (id int);',
    },
  )
  assertSucceeded(ran, '3 files applied')
  const owners = await db.sql(
    `select tablename as t, tableowner as o from pg_tables where schemaname = 'public' order by 1`,
  )
  assert.deepEqual(owners, [
    { t: 'a', o: 'lockstep_test' },
    { t: 'b', o: 'lockstep_test' },
    { t: 'c', o: 'postgres' },
  ])
})

test('a role given at log-in survives every reset', async () => {
  await using db = await freshDatabase()
  await db.superuser(`create role "owner of ${db.name}" nologin; grant "owner of ${db.name}" to lockstep_test;
    grant all on schema public to "owner of ${db.name}"; grant create on database ${db.name} to "owner of ${db.name}"`)
  try {
    const url = `${db.url}?options=${encodeURIComponent(`-c role="owner\\ of\\ ${db.name}"`).replaceAll('%22', '')}`
    const ran = await migrateFiles(
      { url },
      { '0001_a.sql': 'create table a (id int);', '0002_b.sql': 'create table b (id int);' },
    )
    assertSucceeded(ran, `as owner of ${db.name}`)
    const owners = await db.sql(
      `select distinct tableowner as o from pg_tables where tablename in ('a', 'b', 'ledger')`,
    )
    assert.deepEqual(owners, [{ o: `owner of ${db.name}` }])
  } finally {
    await db.superuser(`drop owned by "owner of ${db.name}"; drop role "owner of ${db.name}"`)
  }
})

// Where: PostgreSQL counts code points from the start of the message.
for (const [what, text, place] of [
  ['a first line', 'selekt 1', '1:1'],
  ['CRLF', 'select 1;\r\n\r\n  selekt 2;\r\n', '3:3'],
  ['characters beyond the basic plane', `select '😀😀' as a, 'é' as b;\n/* 😀 */ selekt 2;`, '2:9'],
  ['a byte order mark', '\uFEFFselekt 1;', '1:1'],
  ['an error inside a statement', `create table t (id int);\nselect id,\n  nmae from t;`, '3:3'],
  ['an open quote', `select 1;\nselect 'open;\n`, '2:8'],
  ['an open name', `select 1;\nselect "open;\n`, '2:8'],
  ['an open parenthesis', `select (1\n`, '2:1'],
  ['an open comment', 'select 1;\n/* open\nselect 2;\n', '2:1'],
  ['an open dollar quote', 'select 1;\nselect $x$ open $y$;\n', '2:8'],
] as const) {
  test(`the place of an error is right: ${what}`, async () => {
    await using db = await freshDatabase()
    const isOpen = /open/.test(text)
    assertFailed(
      await migrateFiles(db, { '0001_a.sql': text }),
      1,
      isOpen ? 'STATEMENT_REFUSED' : 'SQL_FAILED',
      `0001_a.sql:${place} `,
    )
  })
}

test('the place of an error is right in a database without an encoding, where bytes are counted', async () => {
  await using db = await freshDatabase()
  const name = `${db.name}_ascii`
  await db.superuser(
    `create database ${name} template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' owner lockstep_test`,
  )
  try {
    const ran = await migrateFiles(
      { url: urlOf(db.url, { database: name }) },
      { '0001_a.sql': `select 'éé';\nselect 'é', nmae;` },
    )
    assertFailed(ran, 1, 'SQL_FAILED', '0001_a.sql:2:13 ')
  } finally {
    await db.superuser(`drop database ${name} with (force)`)
  }
})

test('an error in a function that a file calls names the file', async () => {
  await using db = await freshDatabase()
  const ran = await migrateFiles(db, { '0001_a.sql': `do $$ begin execute 'selekt 1'; end $$;` })
  assertFailed(ran, 1, 'SQL_FAILED', '0001_a.sql syntax error at or near "selekt" (42601)')
})

test('values that PostgreSQL quotes are not shown', async () => {
  await using db = await freshDatabase()
  const ran = await migrateFiles(db, { '0001_a.sql': `select 'hunter2'::int;` })
  assertFailed(ran, 1, 'SQL_FAILED', 'invalid input syntax for type integer: "…" (22P02)')
  assert.ok(!ran.output.includes('hunter2'))
  const unique = await migrateFiles(db, {
    '0001_a.sql': `create table t (email text unique); insert into t values ('hunter2'), ('hunter2');`,
  })
  assertFailed(unique, 1, 'SQL_FAILED', '23505')
  assert.ok(!unique.output.includes('hunter2'))
})

test('a text that ends in a comment, an empty one and one of semicolons are applied', async () => {
  await using db = await freshDatabase()
  const files = {
    '0001_a.sql': 'create table a (id int) -- no semicolon, no line end',
    '0002_b.sql': '',
    '0003_c.sql': '-- nothing\n/* at all */',
    '0004_d.sql': ';;;\n;',
    '0005_e.sql': 'select 1 /* ; */',
  }
  assertSucceeded(await migrateFiles(db, files), '5 files applied')
})

for (const [what, text] of [
  ['from the client', 'create table c (id int);\ncopy c from stdin;\n'],
  [
    'from the client, and a statement behind',
    'create table c (id int);\ncopy c from stdin;\nselect 1/0;',
  ],
  ['to the client', 'copy (select generate_series(1, 100000)) to stdout;\nselect 1/0;'],
] as const) {
  test(`COPY is an error and never a hanging run: ${what}`, async () => {
    await using db = await freshDatabase()
    assertFailed(
      await migrateFiles(db, { '0001_a.sql': text }),
      1,
      'STATEMENT_REFUSED',
      '0001_a.sql:',
    )
  })
}

test('a million rows and a hundred thousand notices pass by', async () => {
  await using db = await freshDatabase()
  const file = `select * from generate_series(1, 1000000);
    do $$ begin for i in 1..100000 loop raise warning 'noise %', i; end loop; end $$;`
  const ran = await migrateFiles(db, { '0001_a.sql': file })
  assertSucceeded(ran, '1 file applied')
  assert.ok(!ran.output.includes('noise'))
})

test('a table that another session holds ends the file after the lock time-out, and a retry may help', async () => {
  await using db = await freshDatabase()
  await db.sql('create table held (id int); create schema lockstep')
  await db.superuser('begin; lock table held in access share mode')
  const files = {
    '0001_a.sql': 'create table other (id int); alter table held add column name text;',
  }
  const ran = await migrateFiles(db, files, {
    LOCKSTEP_LOCK_TIMEOUT: '100ms',
    LOCKSTEP_RETRY_WAIT: '0s',
    LOCKSTEP_BASELINE: 'ignore',
  })
  assertFailed(ran, 75, 'LOCK_TIMEOUT', '55P03', 'nothing of this file is kept')
  await db.superuser('rollback')
  assert.equal(await exists(db, 'other'), false)
})

test('the statement time-out is the one of the setting, not of the role', async () => {
  await using db = await freshDatabase()
  await db.superuser(`alter role lockstep_test in database ${db.name} set statement_timeout = '300ms';
    alter role lockstep_test in database ${db.name} set default_transaction_read_only = on`)
  const slow = { '0001_a.sql': 'select pg_sleep(0.6);' }
  assertSucceeded(await migrateFiles(db, slow), '1 file applied')
  const second = { ...slow, '0002_b.sql': 'select pg_sleep(5);' }
  assertFailed(
    await migrateFiles(db, second, { LOCKSTEP_STATEMENT_TIMEOUT: '300ms' }),
    1,
    'SQL_FAILED',
    '57014',
  )
})

test('a file that replaces, empties or drops parts of the ledger is not recorded', async () => {
  for (const damage of [
    `create or replace function lockstep.close(first_id bigint, last_id bigint, guards boolean default false, exact oid[] default null) returns jsonb language sql as 'select null::jsonb'`,
    `drop function lockstep.close(bigint, bigint, boolean, oid[])`,
    `delete from lockstep.ledger`,
    `truncate lockstep.ledger`,
    `drop table lockstep.ledger`,
    `alter table lockstep.ledger rename to other`,
    `update lockstep.ledger set finished = now()`,
    `do $$ begin perform pg_advisory_unlock_all(); end $$; delete from lockstep.ledger where id = 2`,
  ]) {
    await using db = await freshDatabase()
    const ran = await migrateFiles(db, {
      '0001_a.sql': 'select 1',
      '0002_b.sql': `${damage}; create table kept (id int);`,
    })
    assert.equal(ran.exit, 1, `${damage}\n${ran.output}`)
    assert.equal(await exists(db, 'kept'), false, damage)
    assert.deepEqual(await ledgerNames(db), ['0001_a.sql'], damage)
  }
})
