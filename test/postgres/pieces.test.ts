import assert from 'node:assert/strict'
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { codePoints } from '../../src/files/bytes.ts'
import { readFolder } from '../../src/files/folder.ts'
import { applyAll } from '../../src/postgres/window.ts'
import { ensureLedger } from '../../src/postgres/ledger.ts'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { failureIn, told } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'
import { fillers, hasRows, manyRows } from '../support/large-text.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runHere } from '../support/here.ts'
import { openConfirmed } from '../support/session.ts'

const asIs = { LOCKSTEP_BASELINE: 'ignore' }
const patient = { ...asIs, LOCKSTEP_CONNECT_WAIT: '10s' }

async function exists(db: Database, name: string): Promise<boolean> {
  const [row] = await db.sql<{ found: boolean }>(
    `select to_regclass('${name}') is not null as found`,
  )
  return row?.found === true
}

async function ledgerNames(db: Database): Promise<string[]> {
  const rows = await db.sql<{ name: string }>('select name from lockstep.ledger order by id')
  return rows.map(({ name }) => name)
}

/** Of the session behind the last `applyFolder`. */
let lastStatus: string | undefined

/** Applies the first file of a folder without asking whether it may be applied. */
async function applyFolder(
  db: Database,
  path: string,
  beforeSending: () => void = () => undefined,
): Promise<void> {
  const { files } = await readFolder(path, 2 ** 30)
  const [migration] = files
  assert.ok(migration)
  await using session = await openConfirmed(db)
  const key = lockKey('lockstep')
  await ensureLedger(session, 'lockstep', key, undefined)
  const work = {
    file: migration.file,
    text: migration.text,
    earns: [migration],
    how: 'transaction',
    modes: '',
    lockTimeoutMs: undefined,
    statementTimeoutMs: undefined,
    head: 0,
    over: [],
    allowances: [],
  } as const
  const terms = {
    schema: 'lockstep',
    lockKey: key,
    run: 'cafe0123',
    application: 'lockstep/test',
    pooler: 'refuse',
    lockTimeoutMs: 0,
    statementTimeoutMs: 0,
    guardTables: [],
  } as const
  assert.match(migration.meaning.file, /^[0-9a-f]{64}$/)
  beforeSending()
  try {
    for await (const _ of applyAll(session, [work], terms, () => undefined));
  } finally {
    lastStatus = session.frames.status
  }
}

for (const pooler of ['refuse', 'allow']) {
  test(`large files between small ones come whole, as they were written (LOCKSTEP_POOLER=${pooler})`, async () => {
    await using db = await freshDatabase()
    const literal = 'ü;é'.repeat(800_000)
    const files = {
      '0001_a.sql': 'create table a (id int);',
      '0002_b.sql': `${manyRows('b')}insert into a values (1);`,
      '0003_c.sql': 'insert into a values (2);',
      '0004_d.sql': `create table d (note text);insert into d values ($long$${literal}$long$), ('${literal}');
        do $do$ begin perform 1; /* ${'漢'.repeat(300_000)} */ end $do$;\nselect 1 /* no semicolon */`,
      '0005_e.sql': `\uFEFF${manyRows('e')}`,
      '0006_f.sql': 'insert into a values (3);',
    }
    const env = { LOCKSTEP_POOLER: pooler }
    assertSucceeded(await migrateFiles(db, files, env), '6 files applied')
    assert.ok(await hasRows(db, 'b'))
    assert.ok(await hasRows(db, 'e'))
    const [long] = await db.sql(
      `select count(*)::int as rows, count(distinct note)::int as notes, max(length(note)) as length,
        bool_and(note = repeat('ü;é', 800000)) as same from d`,
    )
    assert.deepEqual(long, { rows: 2, notes: 1, length: 2_400_000, same: true })
    assert.deepEqual(await db.sql('select id from a order by id'), [
      { id: 1 },
      { id: 2 },
      { id: 3 },
    ])
    assert.deepEqual(await ledgerNames(db), Object.keys(files))
    assertSucceeded(await migrateFiles(db, files, env), 'nothing to do')
  })
}

for (const [what, before, wrong, place] of [
  ['in the last statement', manyRows('b'), '/* 😀 */ insert into b values (nmae);\n', '10002:31'],
  ['in the first piece', 'select 😀;\n', manyRows('b'), '1:8'],
  [
    'in the middle, in a line of pieces',
    `${fillers(12).replaceAll('\n', ' ')}select 'é', nmae;`,
    fillers(2),
    '',
  ],
  ['a syntax error', manyRows('b'), 'selekt 1;', '10002:1'],
  ['an open parenthesis at the end', manyRows('b'), `select (\n`, '10003:1'],
] as const) {
  test(`nothing is kept of a large file with an error, whose place is that of the file: ${what}`, async () => {
    await using db = await freshDatabase()
    const text = before + wrong
    const at = place === '' ? `1:${codePoints(text.slice(0, text.indexOf('nmae'))) + 1}` : place
    const files = {
      '0001_a.sql': 'select 1;',
      '0002_b.sql': text,
      '0003_c.sql': 'create table c ();',
    }
    const ran = await migrateFiles(db, files)
    assertFailed(ran, 1, 'SQL_FAILED', `0002_b.sql:${at} `, 'nothing of this file is kept')
    assert.equal(await exists(db, 'b'), false)
    assert.equal(await exists(db, 'c'), false)
    assert.deepEqual(await ledgerNames(db), ['0001_a.sql'])
  })
}

for (const [what, wrong, place, reason] of [
  ['an open quote', `select 'open\n`, '10002:8', 'a string begins here and has no end'],
  ['COMMIT in the middle', `commit;\n${fillers(9)}`, '10002:1', 'begins or ends a transaction'],
  ['COPY and its data', `copy b from stdin;\n1\tit's\n\\.\n${fillers(9)}`, '10002:1', 'COPY from'],
  ['a command of psql', `${fillers(9)}\\echo 'x'\n;`, '10011:1', 'a command of psql'],
] as const) {
  test(`a large file is refused before anything runs, with the place: ${what}`, async () => {
    await using db = await freshDatabase()
    const files = { '0001_a.sql': 'create table a ();', '0002_b.sql': manyRows('b') + wrong }
    const ran = await migrateFiles(db, files)
    assertFailed(ran, 1, 'STATEMENT_REFUSED', `0002_b.sql:${place} `, reason)
    assert.equal(await exists(db, 'a'), false)
  })
}

test('a directive far down in a large file is refused', async () => {
  await using db = await freshDatabase()
  const stray = `${manyRows('b')}-- lockstep: no-transaction\nselect 1;`
  const ran = await migrateFiles(db, { '0001_a.sql': stray })
  assertFailed(ran, 1, 'DIRECTIVE_INVALID', '0001_a.sql:10002:1 a directive must stand in')
})

test('a large file wrapped in its own transaction has the modes of it, and places stay', async () => {
  await using db = await freshDatabase()
  const begin = '-- 😀\nbegin isolation level repeatable read;\n'
  const level = `insert into b select -1, current_setting('transaction_isolation');\n`
  const file = `${begin}${manyRows('b')}${level}commit;\n-- end\n`
  const wrong = file.replace('commit;', 'select nmae; commit;')
  const failed = await migrateFiles(db, { '0001_a.sql': wrong })
  assertFailed(failed, 1, 'SQL_FAILED', '0001_a.sql:10005:8 ')
  const ran = await migrateFiles(db, { '0001_a.sql': file })
  assertSucceeded(ran, '1 file applied', 'its own BEGIN and COMMIT are left out')
  assert.deepEqual(await db.sql('select note from b where id = -1'), [{ note: 'repeatable read' }])
})

test('a large baseline by a newer pg_dump, and a large file without a transaction', async () => {
  await using db = await freshDatabase()
  const files = {
    'baseline.sql': `-- lockstep: baseline 1\nSET transaction_timeout = 0;\n${manyRows('b')}`,
    '0001_a.sql': 'select 1;',
    '0002_b.sql': `-- lockstep: no-transaction\n${fillers(9)}create index concurrently on b (id);`,
  }
  assertSucceeded(await migrateFiles(db, files))
  assert.ok(await hasRows(db, 'b'))
  assert.deepEqual(await ledgerNames(db), ['0001_a.sql', '0002_b.sql'])
})

// Not through the program, which refuses these before: what stands here is the last line.
for (const [what, copy] of [
  ['from the client', 'copy b from stdin;\n'],
  ['to the client', 'copy (select generate_series(1, 100000)) to stdout;'],
] as const) {
  test(`COPY in the middle of a large file keeps nothing of it: ${what}`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf({ '0001_a.sql': `${manyRows('b')}${copy}${fillers(10)}` })
    const failure = await failureIn('COPY_REFUSED', applyFolder(db, folder.path))
    assert.match(failure.message, /^0001_a\.sql: /)
    assert.equal(await exists(db, 'b'), false)
  })
}

for (const [what, ends, kept] of [
  ['COMMIT', 'commit', false],
  ['COMMIT AND CHAIN', 'commit and chain', false],
  ['ROLLBACK', 'rollback', false],
  [
    'ROLLBACK and what runs behind it in the same piece',
    'rollback; create table stray (id int)',
    false,
  ],
  [
    'ROLLBACK and a transaction that stays open',
    'rollback; begin; create table stray (id int)',
    false,
  ],
  [
    'ROLLBACK and a transaction of its own',
    'rollback; begin; create table stray (id int); commit',
    true,
  ],
] as const) {
  test(`a large file that ends its transaction in the middle is not recorded: ${what}`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf({ '0001_a.sql': `${manyRows('b')}${ends};\n${manyRows('c')}` })
    const failure = await failureIn('TRANSACTION_ENDED', applyFolder(db, folder.path))
    assert.match(told(failure), kept ? /a part of the file may be kept/ : /./)
    assert.equal(await exists(db, 'b'), false)
    assert.equal(await exists(db, 'c'), false)
    assert.equal(await exists(db, 'stray'), kept)
    assert.deepEqual(await ledgerNames(db), [])
  })
}

test('of a large file whose first piece did not even begin, no other piece runs by itself', async () => {
  await using db = await freshDatabase()
  const stray = 'begin; create table stray (id int); commit;'
  using folder = folderOf({ '0001_a.sql': `selekt 1;\n${fillers(3)}${stray}\n${fillers(8)}` })
  await failureIn('SQL_FAILED', applyFolder(db, folder.path))
  assert.equal(await exists(db, 'stray'), false)
})

test('what a large file sets for itself changes neither how its next piece is read nor the next file', async () => {
  await using db = await freshDatabase()
  const files = {
    '0001_a.sql': `create table a (name text, path text);
      select set_config(name, value, false) from
        (values ('client_encoding', 'LATIN1'), ('standard_conforming_strings', 'off')) as v (name, value);
      set search_path to pg_catalog; create temporary table a (name text, path text);
      ${fillers(9)} insert into public.a values ('é', 'a\\tb');`,
    '0002_b.sql': `insert into a values ('漢', 'c\\td');`,
  }
  assertSucceeded(await migrateFiles(db, files), '2 files applied')
  assert.deepEqual(await db.sql('select name, path from public.a order by path'), [
    { name: 'é', path: 'a\\tb' },
    { name: '漢', path: 'c\\td' },
  ])
})

test('savepoints, deferred constraints and cursors of a large file reach over its pieces', async () => {
  await using db = await freshDatabase()
  const text = `create table kept (id int primary key deferrable initially deferred);
    savepoint lockstep; insert into kept values (0); savepoint mine; insert into kept values (1);
    declare mine cursor for select generate_series(1, 3); ${fillers(9)}
    fetch mine; rollback to mine; insert into kept values (2), (2); ${fillers(2)}
    delete from kept where id = 2; insert into kept values (2); release lockstep;`
  assertSucceeded(await migrateFiles(db, { '0001_a.sql': text }), '1 file applied')
  assert.deepEqual(await db.sql('select id from kept order by id'), [{ id: 0 }, { id: 2 }])
})

test('a large file that meets a lock is tried again as a whole', async () => {
  await using db = await freshDatabase()
  await db.sql('create table held (id int); create schema lockstep')
  await db.superuser('begin; lock table held in access share mode')
  using folder = folderOf({ '0001_a.sql': `${manyRows('b')}alter table held add name text;` })
  let tries = 0
  const env = {
    ...patient,
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_LOCK_TIMEOUT: '100ms',
  }
  const ran = await runHere(env, ({ checkpoint }) => {
    if (checkpoint !== 'retry') return
    tries += 1
    if (tries === 2) void db.superuser('rollback')
  })
  assert.equal(ran.failure, undefined, ran.said)
  assert.ok(tries >= 2)
  assert.ok(await hasRows(db, 'b'))
})

// More than is on the wire at once.
const rows = 12_000
const text = `${manyRows('b', rows)}create table behind (id int);\n`
for (const [what, change] of [
  ['another byte', (path: string) => writeFileSync(path, text.replace('behind (id', 'behind (no'))],
  ['another first byte', (path: string) => writeFileSync(path, text.replace('create', 'create '))],
  ['what is no SQL', (path: string) => writeFileSync(path, 'x'.repeat(Buffer.byteLength(text)))],
  ['cut short', (path: string) => truncateSync(path, 1_200_000)],
  ['grown', (path: string) => appendFileSync(path, 'create table more (id int);')],
  ['gone', (path: string) => rmSync(path)],
  [
    'replaced',
    (path: string) => {
      writeFileSync(`${path}.new`, manyRows('other'))
      renameSync(`${path}.new`, path)
    },
  ],
] as const) {
  test(`a large file that is changed while the run goes on is rolled back, and the next run takes the new one: ${what}`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf({
      '0001_a.sql': 'select 1;',
      '0002_b.sql': text,
      '0003_c.sql': 'select 2;',
    })
    const path = join(folder.path, '0002_b.sql')
    const env = { ...patient, DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
    const ran = await runHere(env, ({ checkpoint }) => {
      if (checkpoint === 'plan') change(path)
    })
    assert.equal(ran.failure?.code, 'FILE_CHANGED_MEANWHILE', ran.said)
    assert.equal(ran.failure.exit, 75)
    for (const name of ['b', 'behind', 'more', 'other']) assert.equal(await exists(db, name), false)
    assert.deepEqual(await ledgerNames(db), ['0001_a.sql'])
    // The run is recorded: its session was usable, and in no transaction.
    assert.deepEqual(await db.sql('select state, reason, file_begun as file from lockstep.run'), [
      { state: 'failed', reason: 'FILE_CHANGED_MEANWHILE', file: '0002_b.sql' },
    ])
    writeFileSync(path, text)
    const again = await runHere(env)
    assert.equal(again.failure, undefined, again.said)
    assert.ok(await hasRows(db, 'b', rows))
  })
}

test('a large file that has changed leaves no transaction open', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': text })
  const path = join(folder.path, '0001_a.sql')
  await failureIn(
    'FILE_CHANGED_MEANWHILE',
    applyFolder(db, folder.path, () => appendFileSync(path, ';')),
  )
  assert.equal(lastStatus, 'I')
})

test('a large file that is applied already is read for its checksum alone', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': manyRows('b') })
  const env = { ...patient, DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assert.equal((await runHere(env)).failure, undefined)
  // The connection is there when the folder has been read: a file that is lexed would be missed now.
  const again = await runHere(env, ({ checkpoint }) => {
    if (checkpoint === 'files') rmSync(join(folder.path, '0001_a.sql'))
  })
  assert.equal(again.failure, undefined, again.said)
})
