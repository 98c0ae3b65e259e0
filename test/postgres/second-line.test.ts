import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { applyUnchecked } from '../support/unchecked.ts'

// Files are read before they run, and what ends their transaction is refused. Should that ever miss
// something, the cursor that Lockstep holds open makes PostgreSQL itself refuse the COMMIT.

const numbers = Array.from({ length: 12 }, (_, index) => index + 1)
const nameOf = (number: number): string => `${String(number).padStart(4, '0')}_f.sql`

// All twelve are on the wire before the first is answered.
for (const [what, code, sixth] of [
  ['COMMIT', 'TRANSACTION_ENDED', 'create table half (id int); commit;'],
  ['COMMIT in the middle', 'TRANSACTION_ENDED', 'create table half (id int); commit; select 1;'],
  ['COMMIT AND CHAIN', 'TRANSACTION_ENDED', 'create table half (id int); commit and chain;'],
  [
    'END behind SET CONSTRAINTS',
    'TRANSACTION_ENDED',
    'create table half (id int); set constraints all immediate; end;',
  ],
  ['COMMIT and an error', 'TRANSACTION_ENDED', 'create table half (id int); commit; select 1/0;'],
  ['a pair of its own', 'TRANSACTION_ENDED', 'begin; create table half (id int); commit;'],
  ['ROLLBACK', 'TRANSACTION_ENDED', 'create table half (id int); rollback;'],
  [
    'ROLLBACK and a transaction of its own',
    'TRANSACTION_ENDED',
    'rollback; begin; create table half (id int);',
  ],
  ['PREPARE TRANSACTION', 'SQL_FAILED', `create table half (id int); prepare transaction 'x';`],
  ['an open quote', 'SQL_FAILED', `create table half (id int); select 'open`],
  ['COPY from the client', 'COPY_REFUSED', 'create table half (id int); copy half from stdin;'],
] as const) {
  test(`a sixth of twelve files that nobody has read, with ${what}: five are kept, and nothing of it`, async () => {
    await using db = await freshDatabase()
    const texts = numbers.map((n) => [nameOf(n), n === 6 ? sixth : `create table t${n} (id int);`])
    const { applied, failure } = await applyUnchecked(db, Object.fromEntries(texts))
    assert.equal(failure?.code, code, failure?.message)
    assert.deepEqual(applied, numbers.slice(0, 5).map(nameOf))
    const rows = await db.sql<{ name: string }>('select name from lockstep.ledger order by id')
    const tables = await db.sql<{ n: string }>(
      `select tablename as n from pg_tables where schemaname = 'public' order by 1`,
    )
    assert.deepEqual(
      rows.map(({ name }) => name),
      applied,
    )
    assert.deepEqual(
      tables.map(({ n }) => n),
      numbers.slice(0, 5).map((n) => `t${n}`),
    )
  })
}

test('a COPY to the client that nobody has read is the failure of its own file, and nothing hangs', async () => {
  await using db = await freshDatabase()
  const texts = { '0001_a.sql': 'copy (select 1) to stdout;', '0002_b.sql': 'select 1;' }
  const { applied, failure } = await applyUnchecked(db, texts)
  assert.equal(failure?.code, 'COPY_REFUSED')
  assert.match(failure.message, /^0001_a\.sql: a statement copies/)
  assert.deepEqual(applied, [])
})
