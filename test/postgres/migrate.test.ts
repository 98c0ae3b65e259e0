import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, type ProgramForm } from '../support/program.ts'

const example = join(import.meta.dirname, '..', '..', 'sql')
const three = {
  '0001_people.sql': 'create table people (id int primary key, name text);\n',
  '0002_fill.sql': `insert into people values (1, 'Ada'), (2, 'Grace');\n`,
  '0003_index.sql': 'create index people_name on people (name);\n',
}

/** Names of the applied files in the order of the ledger. */
async function applied(db: Database, schema = 'lockstep'): Promise<string[]> {
  const rows = await db.sql<{ name: string }>(`select name from ${schema}.ledger order by id`)
  return rows.map(({ name }) => name)
}

for (const form of ['source', 'bundle'] as const satisfies ProgramForm[]) {
  test(`${form}: an empty database is built with a line for every step, and then there is nothing to do`, async () => {
    await using db = await freshDatabase()
    const env = {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: example,
      LOCKSTEP_GUARD_TABLES: 'leads,faqs',
    }
    const ask = { form, cwd: tmpdir(), env }
    const first = await runProgram(ask)
    assertSucceeded(first)
    const checkpoints = first.stdout.split(/\n(?! )/).map((line) => line.split(' ')[0])
    // The folder is read while the connection is made: whichever is there first is told first.
    const both = checkpoints[1] === 'files' ? ['files', 'database'] : ['database', 'files']
    const steps = ['start', ...both, 'found', 'lock', 'plan', 'guard']
    const whole = Array.from({ length: 7 }, () => 'applied')
    const files = [...whole, 'step', 'step', 'applied']
    assert.deepEqual(checkpoints, [...steps, ...files, 'verified', 'done', ''])
    assert.match(first.stdout, /^found +no tables: an empty database$/m)
    assert.match(
      first.stdout,
      /^done +17 files \(10 by the baseline, 7 applied\) in [\d.]+ s, exit 0$/m,
    )
    assert.deepEqual(await db.sql('select count(*)::int as leads from leads'), [{ leads: 120 }])

    const second = await runProgram(ask)
    assertSucceeded(second, /^done +nothing to do: 17 files applied already/m)
    assert.doesNotMatch(second.stdout, /^(lock|plan|applied)/m)
    assert.deepEqual(await db.sql('select count(*)::int as runs from lockstep.run'), [{ runs: 1 }])
  })

  test(`${form}: in a cluster each line is one JSON record, with the message early`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf(three)
    const env = {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: folder.path,
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
    }
    const ran = await runProgram({ form, env })
    assertSucceeded(ran)
    const lines = ran.stdout.trimEnd().split('\n')
    for (const line of lines) {
      assert.match(
        line,
        /^\{"level":"info","severity":"INFO","time":"[^"]+Z","message":"[a-z]+ [^"]+","checkpoint":"[a-z]+","run":"[0-9a-f]{8}"/,
      )
    }
    assert.match(
      lines.find((line) => line.includes('0002_fill')) ?? '',
      /"checkpoint":"plan"|"checkpoint":"applied"/,
    )
  })
}

test('a syntax error in the third of five files keeps the first two and nothing else, and a mended file finishes', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    ...three,
    '0003_broken.sql': 'create table half (id int);\nselect 1;\n\n  selekt 2;\n',
    '0004_more.sql': 'create table more (id int);\n',
    '0005_last.sql': 'create table last (id int);\n',
  })
  folder.remove('0003_index.sql')
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const broken = await runProgram({ env })
  assertFailed(
    broken,
    1,
    'SQL_FAILED',
    '0003_broken.sql:4:3 syntax error at or near "selekt" (42601)',
    'nothing of this file is kept',
  )
  assert.match(
    broken.output,
    /applied in this run and kept: 2 files, the last of them 0002_fill\.sql/,
  )
  assert.deepEqual(await applied(db), ['0001_people.sql', '0002_fill.sql'])
  assert.deepEqual(
    await db.sql(`select to_regclass('half') as half, to_regclass('more') as more`),
    [{ half: null, more: null }],
  )
  const [run] = await db.sql(`select state, exit_code, reason, file_begun from lockstep.run`)
  assert.deepEqual(run, {
    state: 'failed',
    exit_code: 1,
    reason: 'SQL_FAILED',
    file_begun: '0003_broken.sql',
  })

  folder.write({ '0003_broken.sql': 'create table half (id int);\n' })
  assertSucceeded(await runProgram({ env }), '3 files applied')
  assert.equal((await applied(db)).length, 5)
})

test('an applied file that was edited is refused, whether or not anything is pending', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(three)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assertSucceeded(await runProgram({ env }))
  folder.write({ '0002_fill.sql': `insert into people values (3, 'Edsger');\n` })
  assertFailed(await runProgram({ env }), 1, 'FILE_CHANGED', '0002_fill.sql was edited')
})

test('an applied file that is gone is told, and refused as soon as something is pending', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(three)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assertSucceeded(await runProgram({ env }))
  folder.remove('0002_fill.sql')
  assertSucceeded(await runProgram({ env }), 'no longer in this folder: 0002_fill.sql')
  folder.write({ '0004_more.sql': 'select 1;\n' })
  assertFailed(
    await runProgram({ env }),
    1,
    'FILE_MISSING',
    '0002_fill.sql is applied, but not in this folder',
  )
})

test('a late file with a lower version is refused, and applied where that is allowed', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ ...three, '0009_later.sql': 'select 1;\n' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assertSucceeded(await runProgram({ env }))
  folder.write({ '0005_late.sql': 'create table late (id int);\n' })
  assertFailed(
    await runProgram({ env }),
    1,
    'FILE_OUT_OF_ORDER',
    '0005_late.sql is pending, but 0009_later.sql is applied',
  )
  assertSucceeded(await runProgram({ env, args: ['--out-of-order', 'allow'] }), '1 file applied')
  assert.deepEqual((await applied(db)).at(-1), '0005_late.sql')
})

test('a database with objects but no ledger is refused by name, with the ways on', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(three)
  await db.sql(
    'create table customers (id int); create view v as select 1 as one; create type mood as enum ()',
  )
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const refused = await runProgram({ env })
  assertFailed(
    refused,
    1,
    'DATABASE_NOT_EMPTY',
    'table public.customers',
    'LOCKSTEP_BASELINE=ignore',
  )
  assert.match(refused.stdout, /^found +1 table, 3 objects in all$/m)
  assertSucceeded(
    await runProgram({ env: { ...env, LOCKSTEP_BASELINE: 'ignore' } }),
    '3 files applied',
  )
})

test('a first run that fails in the baseline does not disable the baseline', async () => {
  await using db = await freshDatabase()
  const header = '-- lockstep: baseline 0002\n'
  using folder = folderOf({
    ...three,
    'baseline.sql': `${header}create table people (id int);\nselekt;\n`,
  })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  assertFailed(await runProgram({ env }), 1, 'SQL_FAILED', 'baseline.sql:3:1')
  assert.deepEqual(await applied(db), [])
  folder.write({
    'baseline.sql': `${header}create table people (id int primary key, name text);\n`,
  })
  assertSucceeded(await runProgram({ env }), '3 files (2 by the baseline, 1 applied)')
  const rows = await db.sql('select name, how from lockstep.ledger order by id')
  assert.deepEqual(rows, [
    { name: '0001_people.sql', how: 'baseline' },
    { name: '0002_fill.sql', how: 'baseline' },
    { name: '0003_index.sql', how: 'transaction' },
  ])
})

test('two applications share a database by schemas of their own, and one never takes the ledger of the other', async () => {
  await using db = await freshDatabase()
  using ours = folderOf(three)
  using theirs = folderOf({ '0001_other.sql': 'create table other (id int);\n' })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: ours.path }
  assertSucceeded(await runProgram({ env }))
  const other = { ...env, LOCKSTEP_DIR: theirs.path }
  assertFailed(await runProgram({ env: other }), 1, 'LEDGER_OF_ANOTHER', 'LOCKSTEP_SCHEMA')
  const schema = 'Über "quoted" \\ schema'
  const own = { ...other, LOCKSTEP_SCHEMA: schema, LOCKSTEP_BASELINE: 'ignore' }
  assertSucceeded(await runProgram({ env: own }), '1 file applied')
  assertSucceeded(await runProgram({ env: own }), 'nothing to do')
  assert.deepEqual(await applied(db, `"${schema.replaceAll('"', '""')}"`), ['0001_other.sql'])
})

test('status tells files and states as a table and as JSON, and its exit code on demand', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(three)
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const before = await runProgram({ env, args: ['status', '--exit-code'] })
  assert.equal(before.exit, 2, before.output)
  assert.match(before.stdout, /0001_people\.sql +pending\n/)
  assert.deepEqual(await db.sql(`select to_regclass('lockstep.ledger') as ledger`), [
    { ledger: null },
  ])
  assertSucceeded(await runProgram({ env }))
  folder.write({ '0004_more.sql': 'select 1;\n' })
  folder.remove('0001_people.sql')
  const after = await runProgram({ env, args: ['status', '--json'] })
  assert.equal(after.exit, 0, after.output)
  const { state, files, failure } = JSON.parse(after.stdout)
  assert.equal(state, 'refused')
  assert.equal(failure.code, 'FILE_MISSING')
  assert.deepEqual(
    files.map((file: { file: string; state: string }) => [file.file, file.state]),
    [
      ['0002_fill.sql', 'applied'],
      ['0003_index.sql', 'applied'],
      ['0004_more.sql', 'pending'],
      ['0001_people.sql', 'not-in-folder'],
    ],
  )
  const failed = await runProgram({
    env: { ...env, LOCKSTEP_DIR: '/nowhere' },
    args: ['status', '--json'],
  })
  assert.equal(failed.exit, 64)
  assert.equal(failed.stdout, '')
  assert.match(failed.stderr, /FOLDER_UNREADABLE/)
})
