import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, type Ran } from '../support/program.ts'

const three = {
  '0001_people.sql': 'create table people (id int);',
  '0002_name.sql': 'alter table people add column name text;',
  '0003_index.sql': 'create index people_name on people (name);',
}
const others = `create table people (id int, name text);
  create table flyway_schema_history (installed_rank int, version text, description text, script text, checksum int);
  create table schema_migrations (version bigint, dirty boolean)`

interface Project {
  readonly files: ReturnType<typeof folderOf>
  run(...args: string[]): Promise<Ran>
}

function projectOf(db: Database, files: Readonly<Record<string, string>>): Project & Disposable {
  const folder = folderOf(files)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  return {
    files: folder,
    run: (...args) => runProgram({ env, args, form: 'bundle' }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

test('a database of another tool is refused with its history, and taken over up to a version', async () => {
  await using db = await freshDatabase()
  await db.sql(others)
  using project = projectOf(db, three)
  assertFailed(
    await project.run(),
    1,
    'DATABASE_NOT_EMPTY',
    'public.flyway_schema_history (Flyway)',
    'public.schema_migrations (golang-migrate)',
    'lockstep adopt --upto VERSION',
  )
  const shown = await project.run('adopt', '--upto', '0002')
  assertSucceeded(
    shown,
    'records 0001_people.sql as applied',
    'records 0002_name.sql as applied',
    'nothing is written: add --yes to do it',
  )
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as made`), [{ made: null }])

  assertSucceeded(await project.run('adopt', '--upto', '0002', '--yes'), '2 rows added')
  assert.deepEqual(
    await db.sql(
      'select id::int, name, how, finished is not null as done from lockstep.ledger order by id',
    ),
    [
      { id: 1, name: '0001_people.sql', how: 'adopted', done: true },
      { id: 2, name: '0002_name.sql', how: 'adopted', done: true },
    ],
  )
  assertSucceeded(await project.run('adopt', '--upto', '0002', '--yes'), 'nothing to adopt')
  assertSucceeded(await project.run(), '1 file applied')
  assertSucceeded(await project.run(), 'nothing to do')
})

test('a database that is what the baseline builds is taken over by it, deleted files too', async () => {
  await using db = await freshDatabase()
  await db.sql('create table people (id int, name text)')
  using project = projectOf(db, {
    'baseline.sql': `-- lockstep: baseline 2
-- lockstep: covers 0001_people.sql ${'a'.repeat(64)}
-- lockstep: covers 0002_name.sql ${'b'.repeat(64)}
create table people (id int, name text);`,
    '0003_index.sql': three['0003_index.sql'],
  })
  assertFailed(await project.run(), 1, 'DATABASE_NOT_EMPTY', 'lockstep adopt --baseline')
  assertSucceeded(await project.run('adopt', '--baseline', '--yes'), '2 rows added')
  assertSucceeded(await project.run(), '1 file applied')
  assertSucceeded(await project.run(), 'nothing to do')
})

test('an edit that every database has already is adopted, and what was applied passes, too', async () => {
  await using db = await freshDatabase()
  using project = projectOf(db, three)
  assertSucceeded(await project.run())
  project.files.write({ '0002_name.sql': 'alter table people add column name varchar;' })
  assertFailed(
    await project.run(),
    1,
    'FILE_CHANGED',
    '0002_name.sql was edited: statement 1 of 1 differs',
    'lockstep adopt --file 0002_name.sql',
  )
  assertSucceeded(await project.run('adopt', '--file', '0002_name.sql', '--yes'))
  assertSucceeded(
    await project.run(),
    'edited, and adopted as it is now: 0002_name.sql',
    'nothing to do',
  )
  project.files.write({ '0002_name.sql': three['0002_name.sql'] })
  assertSucceeded(await project.run(), 'nothing to do')
  assert.deepEqual(
    await db.sql(
      'select count(*)::int as files, max(cardinality(meanings)) as most from lockstep.ledger',
    ),
    [{ files: 3, most: 2 }],
  )
})

test('the steps of a half-done file are forgotten, with what they did and what is invalid', async () => {
  await using db = await freshDatabase()
  using project = projectOf(db, three)
  assertSucceeded(await project.run())
  await db.sql(`insert into lockstep.step values ('0009_x.sql', 1, '${'c'.repeat(64)}', 'done');
    insert into people values (1, 'a'), (1, 'a')`)
  await assert.rejects(db.sql('create unique index concurrently people_id on people (id)'))
  const run = await project.run()
  assertSucceeded(run, '0009_x.sql of another image is half done: 1 statement done')
  const told = [
    'statement 1 (cccccccccccc) is done, and stays in the database',
    'public.people_id on public.people is invalid; to remove it: drop index concurrently public.people_id;',
  ]
  assertSucceeded(await project.run('adopt', '--forget', '0009_x.sql'), ...told, 'add --yes')
  assertSucceeded(await project.run('adopt', '--forget', '0009_x.sql', '--yes'), ...told)
  assert.deepEqual(await db.sql('select * from lockstep.step'), [])
  assertFailed(
    await project.run('adopt', '--forget', '0009_x.sql'),
    64,
    'ADOPT_INVALID',
    'nothing of 0009_x.sql is half done',
  )
})

test('who holds the lock is waited for, and the first line of the help says that no SQL runs', async () => {
  await using db = await freshDatabase()
  using project = projectOf(db, three)
  const help = await project.run('adopt', '--help')
  assert.match(help.stdout, /^lockstep adopt writes the ledger and runs no SQL\.\n/)
  await db.sql(`select pg_advisory_lock(-6666451310881527300)`)
  assertFailed(
    await project.run('adopt', '--upto', '3', '--yes', '--runner-wait', '300ms'),
    75,
    'RUNNER_WAIT_OVER',
  )
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as made`), [{ made: null }])
})
