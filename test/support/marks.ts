import assert from 'node:assert/strict'
import type { Database } from './database.ts'

/** Files in a schema of their own that leave two marks each, a table and a row, so that half a file would show. */
export function markingFiles(schema: string, count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const n = index + 1
      const first =
        n === 1 ? `create schema ${schema}; create table ${schema}.journal (file int);` : ''
      return [
        nameOf(n),
        `${first} create table ${schema}.t${n} (id int); insert into ${schema}.journal values (${n});`,
      ]
    }),
  )
}

/** Names of the files whose marks are there, in order; none may be there in part or twice. */
export async function marksIn(db: Pick<Database, 'sql'>, schema: string): Promise<string[]> {
  const tables = await db.sql<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = '${schema}' and tablename <> 'journal' order by length(tablename), tablename`,
  )
  const journal =
    tables.length === 0
      ? []
      : await db.sql<{ file: number }>(`select file from ${schema}.journal order by file`)
  assert.deepEqual(
    tables.map(({ name }) => Number(name.slice(1))),
    journal.map(({ file }) => file),
    `half a file in ${schema}`,
  )
  return journal.map(({ file }) => nameOf(file))
}

/** Names in a ledger, in its order; each row must be finished. */
export async function namesIn(db: Pick<Database, 'sql'>, ledgerSchema: string): Promise<string[]> {
  const [ledger] = await db.sql<{ there: boolean }>(
    `select to_regclass('${ledgerSchema}.ledger') is not null as there`,
  )
  if (ledger?.there !== true) return []
  const rows = await db.sql<{ name: string; finished: boolean }>(
    `select name, finished is not null as finished from ${ledgerSchema}.ledger order by id`,
  )
  assert.ok(
    rows.every(({ finished }) => finished),
    `an unfinished row in ${ledgerSchema}`,
  )
  return rows.map(({ name }) => name)
}

function nameOf(file: number): string {
  return `${String(file).padStart(4, '0')}_f.sql`
}
