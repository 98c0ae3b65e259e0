import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'

const numbers = Array.from({ length: 12 }, (_, index) => index + 1)
const nameOf = (number: number): string => `${String(number).padStart(4, '0')}_f.sql`

function textOf(n: number): string {
  return `create table t${n} (id int); insert into journal values (${n});`
}

/** Twelve files that leave two marks each; the sixth is another. */
function filesWith(sixth: string): Record<string, string> {
  return Object.fromEntries(numbers.map((n) => [nameOf(n), n === 6 ? sixth : textOf(n)]))
}

async function marks(db: Database): Promise<number[]> {
  const rows = await db.sql<{ file: number }>(`
    select substr(tablename, 2)::int as file from pg_tables where tablename ~ '^t[0-9]+$'
    intersect all select file from journal order by 1`)
  return rows.map(({ file }) => file)
}

async function ledger(db: Database): Promise<string[]> {
  const rows = await db.sql<{ name: string }>('select name from lockstep.ledger order by id')
  return rows.map(({ name }) => name)
}

/** Whether the commit of each was waited for, or has been made durable since. */
async function flushed(db: Database): Promise<boolean[]> {
  const rows = await db.sql<{ flushed: boolean }>('select flushed from lockstep.ledger order by id')
  return rows.map((row) => row.flushed)
}

// All twelve are on the wire before the first is answered, so each of these must stop what is behind it.
for (const [what, code, sixth] of [
  ['an error while it runs', 'SQL_FAILED', 'create table half (id int); select 1 / 0;'],
  // Nothing of the message runs, not even BEGIN: the seventh begins, and the chain refuses it.
  ['a syntax error', 'SQL_FAILED', 'create table half (id int); selekt 1;'],
  [
    'a deferred constraint',
    'SQL_FAILED',
    'create table half (id int unique deferrable initially deferred); insert into half values (1), (1);',
  ],
  [
    'an end of its own session',
    'FILE_LOSES_CONNECTION',
    'create table half (id int); select pg_terminate_backend(pg_backend_pid());',
  ],
  [
    'a ledger without its row',
    'GUARD_VIOLATED',
    'create table half (id int); delete from lockstep.ledger where id = 6;',
  ],
] as const) {
  test(`${what} in the sixth of twelve files: five are applied and recorded, and nothing else`, async () => {
    await using db = await freshDatabase()
    await db.sql('create table journal (file int)')
    const env = { LOCKSTEP_BASELINE: 'ignore' }
    const ran = await migrateFiles(db, filesWith(sixth), env)
    assertFailed(ran, 1, code, nameOf(6), 'applied in this run and kept: 5 files')
    assert.deepEqual(await ledger(db), numbers.slice(0, 5).map(nameOf))
    // The fifth is told, so it is on the disk.
    assert.deepEqual(await flushed(db), [false, false, false, true, true])
    assert.deepEqual(await marks(db), numbers.slice(0, 5))
    assert.deepEqual(await db.sql(`select to_regclass('half') as half`), [{ half: null }])

    const mended = filesWith(textOf(6))
    assertSucceeded(await migrateFiles(db, mended, env), '7 files applied')
    assert.deepEqual(await marks(db), numbers)
  })
}

test('a chain that triggers could keep quiet stops the window all the same', async () => {
  await using db = await freshDatabase()
  await db.sql('create table journal (file int)')
  await db.superuser(
    `alter role lockstep_test in database ${db.name} set session_replication_role = replica`,
  )
  const ran = await migrateFiles(db, filesWith('selekt 1;'), { LOCKSTEP_BASELINE: 'ignore' })
  assertFailed(ran, 1, 'SQL_FAILED')
  assert.deepEqual(await marks(db), numbers.slice(0, 5))
})

test('much text is not on the wire at once, and comes in order', async () => {
  await using db = await freshDatabase()
  await db.sql('create table journal (file int)')
  const comment = `-- ${'x'.repeat(400_000)}\n`
  const files = Object.entries(filesWith(textOf(6)))
  const large = Object.fromEntries(files.map(([name, text]) => [name, comment + text]))
  const ran = await migrateFiles(db, large, { LOCKSTEP_BASELINE: 'ignore' })
  assertSucceeded(ran, '12 files applied')
  assert.deepEqual(await ledger(db), numbers.map(nameOf))
})
