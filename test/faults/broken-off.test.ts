import assert from 'node:assert/strict'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { losingAnswerTo } from '../support/answers.ts'
import { again, done, testBrokenOff, type BrokenOff } from '../support/broken-off.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { runHere } from '../support/here.ts'
import { startProgram } from '../support/program.ts'
import { proxyTo } from '../support/proxy.ts'
import { identity, startServer } from '../support/server.ts'

/** For tablespaces, of which the server must be the owner. */
const space = mkdtempSync(join(tmpdir(), 'lockstep-space-'))
if (identity.uid !== undefined) chownSync(space, identity.uid, identity.gid)
after(() => rmSync(space, { recursive: true, force: true }))

const name = `lockstep_broken_${process.pid}`
const isThere = (catalog: string, column: string): string =>
  `exists (select from ${catalog} where ${column} = '${name}')`
const dropDatabase = `drop database if exists ${name}`
const dropTablespace = `drop tablespace if exists ${name}`
const makeTablespace = `create tablespace ${name} location '${space}'`
const databases = 'lock table pg_database in share mode'
const tablespaces = 'lock table pg_tablespace in share mode'

const cases: readonly BrokenOff[] = [
  {
    statement: `create database ${name}`,
    setup: [],
    cleanup: [dropDatabase],
    hold: databases,
    mends: undefined,
    goesOn: done,
    isDone: isThere('pg_database', 'datname'),
  },
  {
    statement: `drop database ${name}`,
    setup: [`create database ${name}`],
    cleanup: [dropDatabase],
    hold: databases,
    mends: undefined,
    goesOn: done,
    isDone: `not ${isThere('pg_database', 'datname')}`,
  },
  {
    statement: `alter database ${name} set tablespace ${name}`,
    setup: [makeTablespace, `create database ${name}`],
    cleanup: [dropDatabase, dropTablespace],
    hold: databases,
    mends: undefined,
    goesOn: again,
    isDone: `(select spcname = '${name}' from pg_tablespace t join pg_database on t.oid = dattablespace where datname = '${name}')`,
  },
  {
    statement: makeTablespace,
    setup: [],
    cleanup: [dropTablespace],
    hold: tablespaces,
    mends: undefined,
    goesOn: done,
    isDone: isThere('pg_tablespace', 'spcname'),
  },
  {
    statement: `drop tablespace ${name}`,
    setup: [makeTablespace],
    cleanup: [dropTablespace],
    hold: tablespaces,
    mends: undefined,
    goesOn: done,
    isDone: `not ${isThere('pg_tablespace', 'spcname')}`,
  },
]
for (const each of cases) testBrokenOff({ ...each, asSuperuser: true })

/** ALTER SYSTEM waits for nobody, so that only its answer can be lost. */
test('ALTER SYSTEM, of which the answer is lost: it runs again', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    '0001_a.sql': `-- lockstep: no-transaction
      create table journal (step int); alter system set log_min_duration_statement = '1h'; insert into journal values (3);`,
  })
  await using proxy = await proxyTo(
    db.superuserUrl,
    losingAnswerTo(/^\/\* lockstep 0001_a\.sql \*\/alter system/),
  )
  const { failure, said } = await runHere({
    DATABASE_URL: proxy.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_CONNECT_WAIT: '20s',
    LOCKSTEP_BASELINE: 'ignore',
  })
  await db.superuser('alter system reset log_min_duration_statement')
  assert.equal(failure, undefined, said)
  assert.match(said, again)
  assert.deepEqual(await db.superuser('select * from journal'), [{ step: 3 }])
})

test('a runner that is killed: the server goes on building, and the next run finds the index', async () => {
  await using db = await freshDatabase()
  await db.sql('create table leads (id int); insert into leads values (1)')
  using folder = folderOf({
    '0001_a.sql': `-- lockstep: no-transaction
      insert into leads values (2); create index concurrently leads_id on leads (id);`,
  })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_BASELINE: 'ignore' }
  await db.superuser('begin; insert into leads values (0)')
  const killed = startProgram({ env: { ...env, LOCKSTEP_HEARTBEAT: '100ms' }, form: 'bundle' })
  await killed.says('blocked ')
  killed.child.kill('SIGKILL')
  await killed.ran
  // Longer than a server takes to notice a client that is gone, where it looks.
  const next = startProgram({ env: { ...env, LOCKSTEP_HEARTBEAT: '1s' }, form: 'bundle' })
  await next.says('the lock is held by', 4)
  await db.superuser('rollback')
  const { exit, output } = await next.ran
  assert.equal(exit, 0, output)
  assert.match(output, /statement 2 of 0001_a\.sql is done: only its end was not written down/)
  const rows = await db.sql(
    'select indisvalid as valid from pg_index where indrelid = $$leads$$::regclass',
  )
  assert.deepEqual(rows, [{ valid: true }])
  assert.deepEqual(await db.sql('select id from leads order by id'), [{ id: 1 }, { id: 2 }])
})

for (const killed of ['create', 'alter', 'drop'] as const) {
  test(`a subscription, broken off in its ${killed}`, { timeout: 60_000 }, async () => {
    const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)
    await using publisher = await startServer(major, ['fsync=off', 'wal_level=logical'])
    await using db = await freshDatabase()
    const subscription = `s_${process.pid}_${killed}`
    using folder = folderOf({
      '0001_a.sql': `-- lockstep: no-transaction
        insert into journal values (1);
        create subscription ${subscription} connection '${publisher.url}' publication p with (copy_data = false);
        alter subscription ${subscription} set publication p, q;
        drop subscription ${subscription};
        insert into journal values (5);`,
    })
    await db.superuser('create table journal (step int)')
    const fate = losingAnswerTo(
      new RegExp(`^/\\* lockstep 0001_a\\.sql \\*/${killed} subscription`),
    )
    await using proxy = await proxyTo(db.superuserUrl, fate)
    const env = { LOCKSTEP_CONNECT_WAIT: '20s', LOCKSTEP_BASELINE: 'ignore' }
    const { failure, said } = await runHere({
      DATABASE_URL: proxy.url,
      LOCKSTEP_DIR: folder.path,
      ...env,
    })
    assert.equal(failure, undefined, said)
    assert.match(said, /is half done/)
    assert.deepEqual(await db.superuser('select * from journal order by 1'), [
      { step: 1 },
      { step: 5 },
    ])
    assert.deepEqual(await db.superuser('select subname from pg_subscription'), [])
  })
}
