import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitStatements } from '../../src/files/statements.ts'
import type { PlanDocument } from '../../src/plan.ts'
import { planMarkdown } from '../../src/report/plan-markdown.ts'
import { planText } from '../../src/report/plan-text.ts'
import type { FileRehearsal } from '../../src/rehearsal.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { prepared } from '../support/guarded-run.ts'
import { contentsOf } from '../support/judge.ts'
import { guardTables } from '../support/mutants.ts'
import { assertSucceeded } from '../support/output.ts'
import { runProgram, type Ran } from '../support/program.ts'
import { proxyTo } from '../support/proxy.ts'

type Env = Readonly<Record<string, string>>

/** All that the client sends goes through here: none of it may be a COMMIT, or another way to keep something. */
async function rehearse(
  db: Database,
  files: Readonly<Record<string, string>>,
  env: Env = {},
  args: readonly string[] = ['--format', 'json'],
): Promise<Ran> {
  using folder = folderOf(files)
  const sent: string[] = []
  await using proxy = await proxyTo(db.url, ({ from, kind, body }) => {
    if (from === 'client' && kind !== '') sent.push(kind === 'Q' ? body.toString() : kind)
    return 'pass'
  })
  const ran = await runProgram({
    env: {
      DATABASE_URL: proxy.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_BASELINE: 'ignore',
      LOCKSTEP_GUARD_TABLES: guardTables,
      ...env,
    },
    args: ['plan', '--rehearse', ...args],
  })
  assert.ok(sent.length > 3, 'nothing went through the proxy')
  // Functions of the ledger are made within the rehearsal: their text is no statement of it.
  for (const text of sent.map((each) => each.replaceAll(/\$\$[^]*?\$\$/g, ''))) {
    assert.doesNotMatch(text, /\bcommit\b/i)
    const { statements } = splitStatements(text)
    const first = statements.map(({ start }) => text.slice(start, start + 7).toLowerCase())
    for (const word of first) assert.doesNotMatch(word, /^(end|prepare|commit)\b/)
  }
  return ran
}

function rehearsed({ stdout, output }: Ran): FileRehearsal[] {
  const { rehearsal }: PlanDocument = JSON.parse(stdout)
  return [...(rehearsal?.files ?? assert.fail(output))]
}

function timeless(text: string): string {
  // Of the write-ahead log others write, too.
  return text
    .replaceAll(/[\d.]+ MB\b/g, 'N kB')
    .replaceAll(/[\d.]+ (m?s|kB)\b/g, 'N $1')
    .replaceAll(/127\.0\.0\.1:\d+\/\w+/g, 'db')
}

/** What is the same each time. */
function stable({ tag, line, locks }: FileRehearsal['statements'][number]) {
  return { line, tag, locks: locks.map(({ table, mode }) => `${mode} on ${table}`) }
}

test('effects, locks and verdict of each file are told, each on top of the one before, and nothing is kept', async () => {
  await using db = await prepared()
  const before = await contentsOf(db.url, true)
  const ran = await rehearse(db, {
    '1_a.sql': `create table faqs (id int primary key, question text);

insert into faqs values (1, 'secret?'), (2, 'secret?');
  alter table leads add column score2 int; update leads set score2 = 1;`,
    '2_b.sql': `set search_path = pg_catalog; set role none; select 1;`,
    '3_c.sql': `-- lockstep: allow delete <= 3 on clicks
      -- lockstep: allow delete, truncate on leads
      alter table faqs add column answer text; delete from clicks where lead < 3; drop table other;`,
  })
  assert.equal(ran.exit, 0, ran.output)
  assert.doesNotMatch(ran.output, /secret/)
  const [first, second, third] = rehearsed(ran)
  assert.deepEqual(first?.statements.map(stable), [
    { line: 1, tag: 'CREATE TABLE', locks: [] },
    { line: 3, tag: 'INSERT 0 2', locks: [] },
    { line: 4, tag: 'ALTER TABLE', locks: ['ACCESS EXCLUSIVE on public.leads'] },
    { line: 4, tag: 'UPDATE 10', locks: [] },
  ])
  const [, , alter] = first.statements
  const [lock] = alter?.locks ?? []
  assert.ok(lock !== undefined && lock.heldMs > 0 && lock.heldMs <= first.durationMs)
  assert.ok(first.walBytes > 0)
  assert.deepEqual(
    first.effects?.tables.map(({ table, change, inserted, updated }) => ({
      table,
      change,
      inserted,
      updated,
    })),
    [
      { table: 'public.faqs', change: 'created', inserted: 2, updated: undefined },
      { table: 'public.leads', change: undefined, inserted: undefined, updated: 10 },
    ].toSorted(
      (a, b) =>
        (first.effects?.tables ?? []).findIndex(({ table }) => table === a.table) -
        (first.effects?.tables ?? []).findIndex(({ table }) => table === b.table),
    ),
  )
  // What the files before it did is not told again.
  assert.deepEqual(second?.effects?.tables, [])
  assert.equal(third?.verdict, 'passes')
  assert.deepEqual(third.statements.map(stable), [
    { line: 3, tag: 'ALTER TABLE', locks: [] },
    { line: 3, tag: 'DELETE 2', locks: ['ROW EXCLUSIVE on public.clicks'] },
    { line: 3, tag: 'DROP TABLE', locks: ['ACCESS EXCLUSIVE on public.other'] },
  ])
  assert.deepEqual(
    third.allowed.map(({ table, what, rows }) => ({ table, what, rows })),
    [{ table: 'public.clicks', what: 'delete', rows: 2 }],
  )
  assert.deepEqual(third.unneeded, ['allow delete, truncate on leads'])
  assert.equal(await contentsOf(db.url, true), before)
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as made`), [{ made: null }])
})

test('a file that the guard would refuse is told as a run would tell it, and those behind are not run', async () => {
  await using db = await prepared()
  const ran = await rehearse(db, {
    '1_a.sql': 'insert into other values (9, 9);',
    '2_b.sql': 'delete from customers where id = 1;',
    '3_c.sql': 'select 1;',
  })
  assert.equal(ran.exit, 1, ran.output)
  const { rehearsal }: PlanDocument = JSON.parse(ran.stdout)
  const refused = rehearsal?.files[1]
  assert.equal(refused?.verdict, 'fails')
  assert.equal(refused.failure?.code, 'GUARD_VIOLATED')
  assert.match(
    refused.failure.message,
    /2_b\.sql would lose 3 rows of leads, by cascade from customers/,
  )
  assert.ok(refused.failure.more.includes('-- lockstep: allow delete <= 3 on leads'))
  assert.deepEqual(rehearsal?.notRehearsed, [
    { file: '3_c.sql', why: 'it stands behind 2_b.sql, which fails' },
  ])
})

test('exact mode decides in a rehearsal, too, whatever the files before have done', async () => {
  await using db = await prepared()
  const ran = await rehearse(db, {
    '1_a.sql': '-- lockstep: allow delete on clicks\ndelete from clicks;',
    '2_b.sql': `update visits set day = '2020-05-01' where id < 4;`,
    '3_c.sql': `insert into clicks values (1, '/');`,
    '4_d.sql': `update visits set day = '2020-06-01' where id = 7; delete from visits where id = 9;`,
  })
  const files = rehearsed(ran)
  assert.deepEqual(
    files.map(({ verdict }) => verdict),
    ['passes', 'passes', 'passes', 'fails'],
    ran.output,
  )
  assert.match(files[3]?.failure?.message ?? '', /would lose 1 row of visits/)
})

test('an error is told at its place', async () => {
  await using db = await prepared()
  const ran = await rehearse(db, { '1_a.sql': 'select 1;\n\n  select\n    nothing from leads;' })
  assert.equal(ran.exit, 1, ran.output)
  const [failed] = rehearsed(ran)
  assert.match(failed?.failure?.message ?? '', /^1_a\.sql:4:5 column "nothing" does not exist/)
  assert.deepEqual(failed?.statements.map(stable), [{ line: 1, tag: 'SELECT 1', locks: [] }])
})

test('nobody queues behind a rehearsal for long', async () => {
  await using db = await prepared()
  await db.sql('begin; lock table leads in access share mode')
  try {
    const ran = await rehearse(db, { '1_a.sql': 'alter table leads add column x int;' })
    assert.equal(ran.exit, 75, ran.output)
    assert.equal(rehearsed(ran)[0]?.failure?.code, 'LOCK_TIMEOUT')
  } finally {
    await db.sql('rollback')
  }
})

test('files without a transaction are not rehearsed; those behind them are', async () => {
  await using db = await prepared()
  const ran = await rehearse(db, {
    '1_a.sql': '-- lockstep: no-transaction\ncreate index concurrently on leads (email);',
    '2_b.sql': 'insert into other values (9, 9);',
  })
  assert.equal(ran.exit, 0, ran.output)
  const { rehearsal }: PlanDocument = JSON.parse(ran.stdout)
  assert.deepEqual(
    rehearsal?.notRehearsed.map(({ file }) => file),
    ['1_a.sql'],
  )
  assert.equal(rehearsal.files[0]?.verdict, 'passes')
})

test('behind a ledger that has rows, a large file and a baseline are rehearsed as well', async () => {
  await using db = await freshDatabase()
  const line = `insert into a values (1, '${'x'.repeat(200)}');\n`
  const files = {
    'baseline.sql': '-- lockstep: baseline 1\ncreate table a (id int, note text);',
    '1_a.sql': 'create table a (id int, note text);',
    '2_b.sql': line.repeat(6_000),
  }
  const env = { LOCKSTEP_BASELINE: 'auto', LOCKSTEP_GUARD_TABLES: 'a' }
  const fresh = await rehearse(db, files, env)
  assert.deepEqual(
    rehearsed(fresh).map(({ file, verdict }) => ({ file, verdict })),
    [
      { file: 'baseline.sql', verdict: 'passes' },
      { file: '2_b.sql', verdict: 'passes' },
    ],
    fresh.output,
  )
  using folder = folderOf({ 'baseline.sql': files['baseline.sql'], '1_a.sql': files['1_a.sql'] })
  assertSucceeded(await runProgram({ env: { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path } }))
  const [large] = rehearsed(await rehearse(db, files, env))
  assert.equal(large?.effects?.tables[0]?.inserted, 6_000)
  const dropped = await rehearse(
    db,
    {
      ...files,
      '3_c.sql':
        'create or replace function lockstep.judge(seen jsonb, exact oid[]) returns jsonb language sql as $$ select null::jsonb $$; delete from a;',
    },
    env,
  )
  assert.equal(dropped.exit, 1, dropped.output)
})

test('people read the same as text, and a pull request as Markdown', async () => {
  await using db = await prepared()
  const files = {
    '1_a.sql': '-- lockstep: allow drop on notes\nalter table leads add column x int;',
    '2_b.sql': 'delete from clicks;',
  }
  const json = await rehearse(db, files)
  const document: PlanDocument = JSON.parse(json.stdout)
  const text = await rehearse(db, files, {}, [])
  assert.equal(text.exit, 1)
  assert.equal(timeless(text.stdout), timeless(planText(document)))
  assert.equal(
    timeless(text.stdout),
    `db

  1_a.sql  one transaction, 1 statement; allow drop on notes
  2_b.sql  one transaction, 1 statement

2 files would run

rehearsed, and rolled back:

  1_a.sql passes: N ms, at most N kB of write-ahead log
    leads ACCESS EXCLUSIVE
    line    2  ALTER TABLE, N ms; ACCESS EXCLUSIVE on leads for N ms
    warning: nothing needs “allow drop on notes”

  2_b.sql fails: N ms, at most N kB of write-ahead log
    2_b.sql would lose up to 10 rows of clicks
    rolled back, nothing is lost
    there is no key by which rows can be told apart: a primary key would let it be exact
    if it is meant, write above its first statement:
    -- lockstep: allow delete on clicks
`,
  )
  const markdown = await rehearse(db, files, {}, ['--format', 'markdown'])
  assert.equal(timeless(markdown.stdout), timeless(planMarkdown(document)))
  assert.equal(
    timeless(markdown.stdout),
    `### 2_b.sql would not be applied

| file | verdict | time | write-ahead log | what it does |
|---|---|---|---|---|
| \`1_a.sql\` | passes | N ms | at most N kB of write-ahead log | leads ACCESS EXCLUSIVE |
| \`2_b.sql\` | fails | N ms | at most N kB of write-ahead log |  |

Statements of \`1_a.sql\` that others notice:

| line | statement | time | locks, until the end of the file |
|---|---|---|---|
| 2 | \`ALTER TABLE\` | N ms | ACCESS EXCLUSIVE on leads for N ms |

- \`1_a.sql\`: nothing needs \`allow drop on notes\`

**\`2_b.sql\`**

\`\`\`
2_b.sql would lose up to 10 rows of clicks
rolled back, nothing is lost
there is no key by which rows can be told apart: a primary key would let it be exact
if it is meant, write above its first statement:
-- lockstep: allow delete on clicks
\`\`\`

`,
  )
})
