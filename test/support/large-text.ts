import { hash } from 'node:crypto'
import type { Database } from './database.ts'

/** Notes of characters of one to four bytes, of many lengths: some lie across every kind of edge. */
function noteOf(n: number): string {
  return `${'é漢😀x'.repeat(1 + (n % 37))} \r\n; '' $$ -- ${n}`
}

/** A text of some 1.4 MB that fills a table, for `hasRows`. */
export function manyRows(table: string, rows = 5_000): string {
  const inserts = Array.from(
    { length: rows },
    (_, n) => `insert into ${table} values (${n}, '${noteOf(n)}');\r\n`,
  )
  return `create table ${table} (id int, note text);\r\n${inserts.join('')}`
}

/** Whether each row has come as it was written. */
export async function hasRows(db: Database, table: string, rows = 5_000): Promise<boolean> {
  const notes = Array.from({ length: rows }, (_, n) => noteOf(n).replaceAll("''", "'"))
  const [found] = await db.sql<{ digest: string | null }>(
    `select md5(string_agg(note, '|' order by id)) as digest from ${table}`,
  )
  return found?.digest === hash('md5', notes.join('|'))
}

/** Statements that do nothing, each as long as a piece: so many pieces, and few answers. */
export function fillers(count: number): string {
  const literal = 'é'.repeat(66_000)
  return Array.from({ length: count }, (_, n) => `select '${n}${literal}' where false;\n`).join('')
}
