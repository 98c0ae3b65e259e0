import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { buildWithPsql, contentsOf } from '../support/judge.ts'
import { runProgram } from '../support/program.ts'

// A folder of test/scenarios is a case: SQL files, and in want.txt what is said of them. To add one
// is to add a folder; LOCKSTEP_TEST_WANT=write writes its want.txt, to be read before it is kept.

const root = join(import.meta.dirname, '..', '..')
const scenarios = join(root, 'test', 'scenarios')
const writes = process.env['LOCKSTEP_TEST_WANT'] === 'write'

/** What is stable: notes, warnings, files and the end, without times. */
function reduced(output: string, dir: string): string {
  const kept: string[] = []
  let keeps = false
  for (const line of output.replaceAll(dir, 'DIR').split('\n')) {
    if (!line.startsWith(' ')) keeps = /^(?:warning|note|applied|failed|done)\b/.test(line)
    if (keeps && line !== '') kept.push(line)
    // Below it stands what the file did, which has its own tests.
    if (line.startsWith('applied')) keeps = false
  }
  return kept
    .map((line) =>
      line
        .replace(/ in [\d.]+ m?s\b/, '')
        .replace(
          /^(applied +[^,]+(?:, (?:stands for )?\d+ (?:files?|warnings? of the server))*).*$/,
          '$1',
        )
        .replace(/^(applied +\S+) +/, '$1 ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

describe('scenario', { concurrency: 3 }, () => {
  for (const name of readdirSync(scenarios)) {
    test(name, async () => {
      const dir = join(scenarios, name)
      await using db = await freshDatabase()
      const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: dir, LOCKSTEP_GUARD_TABLES: '*' }
      const ran = await runProgram({ env, form: 'bundle' })
      const said = reduced(ran.output, dir)
      const want = join(dir, 'want.txt')
      if (writes) writeFileSync(want, said)
      assert.ok(existsSync(want), `${want} is missing`)
      assert.equal(said, readFileSync(want, 'utf8'))
      assert.ok(!ran.output.includes('secret'), 'a value is shown')
      if (ran.exit !== 0) return
      const again = await runProgram({ env, form: 'bundle' })
      assert.match(again.output, /^done {7}nothing to do/m)

      // The file says why.
      if (existsSync(join(dir, 'no-judge.txt'))) return
      await using other = await freshDatabase()
      await buildWithPsql(other.url, dir)
      assert.equal(await contentsOf(db.url, true), await contentsOf(other.url, true))
    })
  }
})

test('the worked example is built as psql builds it', async () => {
  const dir = join(root, 'sql')
  await using db = await freshDatabase()
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: dir, LOCKSTEP_BASELINE: 'ignore' }
  assert.equal((await runProgram({ env, form: 'bundle' })).exit, 0)
  await using other = await freshDatabase()
  await buildWithPsql(other.url, dir)
  assert.equal(await contentsOf(db.url, false), await contentsOf(other.url, false))
})

test('a difference between two databases is seen', async () => {
  await using db = await freshDatabase()
  await db.sql('create table a (id int); create index on a (id)')
  const before = await contentsOf(db.url, true)
  for (const change of [
    'insert into a values (1)',
    `comment on table a is 'x'`,
    'alter table a alter id set not null',
    'create function f() returns int language sql as $$ select 1 $$',
    `create type e as enum ('x')`,
    'grant select on a to public',
  ]) {
    await db.sql(change)
    const after = await contentsOf(db.url, true)
    assert.notEqual(after, before, change)
    assert.notEqual(after.split('--')[0], before.split('--')[0], change)
    await db.sql('drop table a cascade; drop function if exists f; drop type if exists e')
    await db.sql('create table a (id int); create index on a (id)')
  }
})
