import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failure } from '../../src/failure.ts'
import { readFolder } from '../../src/files/folder.ts'
import { lockKey } from '../../src/postgres/lock.ts'
import { applyStepwise } from '../../src/postgres/stepwise.ts'
import { losingAnswerTo } from '../support/answers.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { failureIn, told } from '../support/failure.ts'
import { folderOf, type TestFolder } from '../support/folder.ts'
import { runHere } from '../support/here.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { proxyTo } from '../support/proxy.ts'
import { openConfirmed } from '../support/session.ts'

const header = '-- lockstep: no-transaction\n'
const first = { '0001_a.sql': 'create table leads (id int, email text);' }

async function idsOf(db: Database): Promise<number[]> {
  const rows = await db.sql<{ id: number }>('select id from leads order by id')
  return rows.map(({ id }) => id)
}

async function indexesOf(db: Database): Promise<string[]> {
  const rows = await db.sql<{ line: string }>(`
    select indexrelid::regclass || case when indisvalid then '' else ' INVALID' end as line
    from pg_index where indrelid = 'leads'::regclass order by 1`)
  return rows.map(({ line }) => line)
}

/** @throws {Failure} of a run that must succeed */
async function applied(db: Database, folder: TestFolder): Promise<string> {
  const { failure, said } = await runHere({ DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path })
  assert.equal(failure, undefined, said)
  return said
}

async function refused(db: Database, folder: TestFolder, code: Failure['code']): Promise<string> {
  const { failure, said } = await runHere({ DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path })
  assert.equal(failure?.code, code, said)
  return told(failure)
}

test('a mixed file: transactional statements beside those that run alone', async () => {
  await using db = await freshDatabase()
  const files = {
    ...first,
    '0002_b.sql': `${header}
      insert into leads values (2, 'b');
      create unique index concurrently leads_email on leads (lower(email)) where id > 0;
      insert into leads values (3, 'c');
      vacuum analyze leads;`,
    '0003_c.sql': 'create table faqs (id int);',
  }
  const ran = await migrateFiles(db, files)
  assertSucceeded(ran, '3 files applied', 'statement 2 of 4, CREATE INDEX CONCURRENTLY, in')
  assert.deepEqual(await indexesOf(db), ['leads_email'])
  assert.deepEqual(await idsOf(db), [2, 3])
  assert.deepEqual(await db.sql('select * from lockstep.step'), [])
  const rows = await db.sql('select name, how from lockstep.ledger order by id')
  assert.deepEqual(rows, [
    { name: '0001_a.sql', how: 'transaction' },
    { name: '0002_b.sql', how: 'statements' },
    { name: '0003_c.sql', how: 'transaction' },
  ])
})

test('a file of comments only, and one whose last statement runs alone, get their row', async () => {
  await using db = await freshDatabase()
  const files = { ...first, '0002_b.sql': header, '0003_c.sql': `${header}vacuum leads` }
  assertSucceeded(await migrateFiles(db, files), '3 files applied')
})

test('what a file sets holds for the statements behind it, and for no other file', async () => {
  await using db = await freshDatabase()
  const files = {
    '0001_a.sql': 'create schema s; create table s.t (id int, a int);',
    '0002_b.sql': `${header}
      set search_path = s;
      create index concurrently on t (id);
      create index concurrently t_a on t (a);
      insert into t values (1);`,
    '0003_c.sql': `do $$ begin if to_regclass('t') is not null then raise 'seen'; end if; end $$;`,
  }
  assertSucceeded(await migrateFiles(db, files), '3 files applied')
})

test('ALTER TYPE ADD VALUE, and a statement behind it that uses the value', async () => {
  await using db = await freshDatabase()
  const files = {
    '0001_a.sql': `create type mood as enum ('sad'); create table t (mood mood);`,
    '0002_b.sql': `${header}alter type mood add value 'ok'; insert into t values ('ok');`,
  }
  assertSucceeded(await migrateFiles(db, files), '2 files applied')
})

test('a unique index over duplicates: the place, what is kept, what is left; then it is mended', async () => {
  await using db = await freshDatabase()
  const build = 'create unique index concurrently leads_id on leads (id);'
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}insert into leads values (1), (1);\n  ${build}\ninsert into leads values (3);`,
  })
  const failed = await refused(db, folder, 'SQL_FAILED')
  assert.match(failed, /^0002_b\.sql:3:3 could not create unique index "leads_id" \(23505\)$/m)
  assert.match(failed, /^statement 1 of 3 of this file is done and kept/m)
  assert.match(
    failed,
    /^index public\.leads_id on public\.leads is INVALID, .*: the next run drops it/m,
  )
  assert.deepEqual(await indexesOf(db), ['leads_id INVALID'])
  await db.sql('delete from leads where ctid = $$(0,1)$$')
  assert.match(await applied(db, folder), /this run drops it, and builds it again/)
  assert.deepEqual(await indexesOf(db), ['leads_id'])
  assert.deepEqual(await idsOf(db), [1, 3])
})

test('a transactional statement that fails keeps what is before it, and tells its place', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}insert into leads values (1);\nselect 1,\n  nope;`,
  })
  const failed = await refused(db, folder, 'SQL_FAILED')
  assert.match(failed, /^0002_b\.sql:4:3 column "nope" does not exist/m)
  folder.write({ '0002_b.sql': `${header}insert into leads values (1);\nselect 2;` })
  assert.match(await applied(db, folder), /it goes on at statement 2 of 2/)
  assert.deepEqual(await idsOf(db), [1])
})

test('statements that are done may not be edited, those to come may', async () => {
  await using db = await freshDatabase()
  const failing = 'insert into leads values (1); insert into leads values (2); select nope;'
  using folder = folderOf({ ...first, '0002_b.sql': header + failing })
  await refused(db, folder, 'SQL_FAILED')
  folder.write({ '0002_b.sql': header + failing.replace('(2)', '(7)') })
  const message = await refused(db, folder, 'FILE_CHANGED')
  assert.match(message, /0002_b\.sql was edited while half done: statement 2 differs/)
  folder.write({
    '0002_b.sql': `${header}INSERT into leads /* cosmetic */ values (1); insert into leads values (2); insert into leads values (3);`,
  })
  await applied(db, folder)
  assert.deepEqual(await idsOf(db), [1, 2, 3])
})

test('a file whose last statements are taken out is finished with those that are done', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}insert into leads values (1); select nope;`,
  })
  await refused(db, folder, 'SQL_FAILED')
  folder.write({ '0002_b.sql': `${header}insert into leads values (1);` })
  await applied(db, folder)
  assert.deepEqual(await idsOf(db), [1])
  assert.match(await applied(db, folder), /^files/)
})

test('a half-done file under a new number goes on there; an image without it says so, and goes on with its own', async () => {
  await using db = await freshDatabase()
  const half = `${header}insert into leads values (1); select nope;`
  using folder = folderOf({ ...first, '0002_b.sql': half })
  await refused(db, folder, 'SQL_FAILED')
  using other = folderOf({ ...first, '0003_other.sql': 'insert into leads values (9);' })
  assert.match(
    await applied(db, other),
    /0002_b\.sql of another image is half done: 1 statement done/,
  )
  assert.match(await applied(db, other), /0002_b\.sql of another image is half done/)
  using renumbered = folderOf({
    ...first,
    '0003_other.sql': 'insert into leads values (9);',
    '0004_b.sql': half.replace('select nope', 'insert into leads values (2)'),
  })
  assert.match(
    await applied(db, renumbered),
    /0004_b\.sql was begun as 0002_b\.sql: it goes on there/,
  )
  assert.deepEqual(await idsOf(db), [1, 2, 9])
})

test('an index of that name that was there before is somebody else’s', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(first)
  await applied(db, folder)
  await db.sql('insert into leads values (1), (1); create index strange on leads (email)')
  await db.sql('create unique index concurrently broken on leads (id)').catch(() => undefined)
  assert.deepEqual(await indexesOf(db), ['broken INVALID', 'strange'])

  const build = (what: string): void =>
    folder.write({ '0002_b.sql': `${header}create index concurrently ${what} on leads (email);` })
  build('strange')
  assert.match(await refused(db, folder, 'INDEX_IN_THE_WAY'), /public\.strange was there before/)
  for (const what of ['broken', 'if not exists broken']) {
    build(what)
    const message = await refused(db, folder, 'INDEX_IN_THE_WAY')
    assert.match(message, /index public\.broken on leads is INVALID, and was there before/)
    assert.match(message, /^drop index concurrently public\.broken;$/m)
  }
  assert.deepEqual(await indexesOf(db), ['broken INVALID', 'strange'])
  build('if not exists strange')
  await applied(db, folder)
  assert.deepEqual(await indexesOf(db), ['broken INVALID', 'strange'])
})

test('an index that came since the statement was begun, and is another one, is not taken for its own', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(first)
  await applied(db, folder)
  await db.sql('insert into leads values (1), (1)')
  folder.write({ '0002_b.sql': `${header}create unique index concurrently mine on leads (id);` })
  await refused(db, folder, 'SQL_FAILED')
  await db.sql('drop index mine; create index mine on leads (email)')
  const message = await refused(db, folder, 'INDEX_IN_THE_WAY')
  assert.match(message, /public\.mine on public\.leads is not the one that this statement builds/)
  await db.sql('drop index mine; delete from leads; create unique index mine on leads (id)')
  assert.match(await applied(db, folder), /statement 1 of 0002_b\.sql is done/)
})

test('a begun statement that was done and then edited is refused', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}create index concurrently i on leads (id);`,
  })
  const fate = losingAnswerTo(/^\/\* lockstep 0002_b\.sql \*\/create index/, false)
  await using proxy = await proxyTo(db.url, fate)
  await runHere({ DATABASE_URL: proxy.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_CONNECT_WAIT: '0s' })
  assert.deepEqual(await indexesOf(db), ['i'])
  folder.write({ '0002_b.sql': `${header}create index concurrently i on leads (email);` })
  assert.match(
    await refused(db, folder, 'FILE_CHANGED'),
    /statement 1 differs, and is done already/,
  )
})

for (const [how, text] of [
  ['a procedure', 'call batch();'],
  [
    'a block',
    'do $$ begin insert into leads values (1); commit; perform pg_sleep(0); insert into leads values (2); end $$;',
  ],
] as const) {
  test(`${how} that commits by itself runs alone; broken off, nobody can tell how far it came`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf({
      '0001_a.sql': `create table leads (id int, email text);
        create procedure batch() language plpgsql as $$ begin
          insert into leads values (1); commit; insert into leads values (2); end $$;`,
      '0002_b.sql': `${header}${text} insert into leads values (3);`,
    })
    await using proxy = await proxyTo(
      db.url,
      losingAnswerTo(/^\/\* lockstep 0002_b\.sql \*\/(call|do) /),
    )
    const { failure } = await runHere({
      DATABASE_URL: proxy.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_CONNECT_WAIT: '10s',
    })
    assert.equal(failure?.code, 'STEP_UNCERTAIN')
    assert.deepEqual(await idsOf(db), [1, 2])
    const lines = await refused(db, folder, 'STEP_UNCERTAIN')
    const statement = /^update .*;$/m.exec(lines)?.[0] ?? ''
    await db.sql(statement)
    await applied(db, folder)
    assert.deepEqual(await idsOf(db), [1, 2, 3])
  })
}

test('a procedure that does not commit runs in a transaction, with its row', async () => {
  await using db = await freshDatabase()
  const files = {
    ...first,
    '0002_b.sql': `create procedure p() language sql begin atomic insert into leads values (1); end;`,
    '0003_c.sql': `${header}call p(); do $$ begin insert into leads values (2); end $$;`,
  }
  const ran = await migrateFiles(db, files, { LOCKSTEP_LOG_LEVEL: 'debug' })
  assertSucceeded(ran, '0003_c.sql: statement 1 of 2 in', '0003_c.sql: statement 2 of 2 in')
})

test('where the guard asks for it, what commits by itself is refused, and nothing of it is kept', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(first)
  await applied(db, folder)
  const text = `${header}do $$ begin insert into leads values (1); commit; end $$;`
  folder.write({ '0002_b.sql': text })
  const { files } = await readFolder(folder.path, 2 ** 20)
  await using session = await openConfirmed(db)
  const terms = {
    schema: 'lockstep',
    lockKey: lockKey('lockstep'),
    run: 'cafe0123',
    application: 'lockstep/test',
    pooler: 'refuse',
    lockTimeoutMs: 1000,
    statementTimeoutMs: 0,
    guardTables: [{ schema: undefined, name: 'leads', isAll: false }],
  } as const
  const timeouts = { lockTimeoutMs: undefined, statementTimeoutMs: undefined }
  const rest = { modes: '', ...timeouts, head: 1, over: [], allowances: [] }
  const work = { file: '0002_b.sql', text, ...rest }
  const running = applyStepwise(
    session,
    { ...work, earns: files.slice(1), how: 'statements' },
    terms,
    () => undefined,
    () => undefined,
  )
  const failure = await failureIn('TRANSACTION_ENDED', running)
  assert.match(failure.message, /statement 1 of 0002_b\.sql \(DO\) commits by itself/)
  assert.deepEqual(await idsOf(db), [])
})

test('a statement that takes its own row away is stopped, and nothing of it is kept', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}with gone as (delete from lockstep.step returning 1) select count(*) from gone; select 1;`,
  })
  const failed = await refused(db, folder, 'TRANSACTION_ENDED')
  assert.match(failed, /0002_b\.sql ended its transaction, or changed the ledger/)
})

test('LOCKSTEP_POOLER=allow refuses such a file before anything has run', async () => {
  await using db = await freshDatabase()
  const files = { ...first, '0002_b.sql': `${header}vacuum leads;` }
  const ran = await migrateFiles(db, files, { LOCKSTEP_POOLER: 'allow' })
  const text = '0002_b.sql is a no-transaction file, which LOCKSTEP_POOLER=allow cannot apply'
  assertFailed(ran, 64, 'POOLER_BETWEEN', text)
  assert.deepEqual(await db.sql(`select to_regclass('leads') as leads`), [{ leads: null }])
})

test('a statement that gives the lock away: the next that runs alone holds it again', async () => {
  await using db = await freshDatabase()
  const key = lockKey('lockstep')
  const held = `select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'
    and (classid::int8 << 32) | objid::int8 = ${key}`
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}select pg_advisory_unlock(${key});
      do $$ begin commit; perform 1 / (${held}); end $$;
      insert into leads values (1);`,
  })
  await applied(db, folder)
  assert.deepEqual(await idsOf(db), [1])
})

test('only the statement that met a lock is tried again', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(first)
  await applied(db, folder)
  folder.write({
    '0002_b.sql': `${header}insert into leads values (1); alter table leads add column x int; insert into leads values (2);`,
  })
  await db.superuser('begin; lock table leads in row exclusive mode')
  const running = startProgram({
    env: { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_LOCK_TIMEOUT: '50ms' },
    form: 'bundle',
  })
  await running.says('again in ')
  await db.superuser('rollback')
  const { exit, output } = await running.ran
  assert.equal(exit, 0, output)
  assert.match(output, /^retry +0002_b\.sql/m)
  assert.deepEqual(await idsOf(db), [1, 2])
})

test('twenty runners at once build an index once, and all succeed', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...first,
    '0002_b.sql': `${header}insert into leads select n from generate_series(1, 20000) as n;
      create index concurrently leads_id on leads (id);
      create index concurrently leads_email on leads (email);`,
    '0003_c.sql': 'create table faqs (id int);',
  })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const runs = await Promise.all(
    Array.from({ length: 20 }, () => runProgram({ env, form: 'bundle', withinMs: 90_000 })),
  )
  for (const ran of runs) assertSucceeded(ran)
  const builders = runs.filter(({ output }) => output.includes('CREATE INDEX CONCURRENTLY'))
  assert.equal(builders.length, 1)
  assert.deepEqual(await indexesOf(db), ['leads_email', 'leads_id'])
  assert.equal((await idsOf(db)).length, 20_000)
})
