import { definitionOf } from '../files/lone.ts'
import { identifier } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

/** Of an index its columns, expressions, method, options and condition, but no name. */
function digest(oid: string): string {
  return `select pg_catalog.md5(indisunique::pg_catalog.text ||
    pg_catalog.substring(pg_catalog.pg_get_indexdef(indexrelid), ' USING .*')) as digest
    from pg_catalog.pg_index where indexrelid = ${oid}`
}

/** Names are written as for a search_path that has none of them. */
const plainPath = 'set local search_path = pg_catalog, pg_temp'

/** Digest of the definition of an index that is there. */
export async function digestOf(on: Session, oid: number): Promise<string | null> {
  return await within(on, plainPath, digest(String(oid)))
}

/**
 * Digest of the definition of an index that a statement is going to build, as PostgreSQL will write
 * it down: it is built on an empty copy of the table, in a transaction that is rolled back.
 *
 * @param table - as the statement names it
 * @returns null where that cannot be done: a right is missing, an expression names the table
 */
export async function definitionDigest(
  on: Session,
  schema: string,
  table: string,
  statement: string,
): Promise<string | null> {
  const { isUnique, definition } = definitionOf(statement)
  const copy = `${identifier(schema)}.index_copy`
  const unique = isUnique ? 'unique' : ''
  const build = [
    `create table ${copy} (like ${table})`,
    `create ${unique} index index_copy_index on ${copy} ${definition}\n`,
    plainPath,
  ]
  try {
    return await within(
      on,
      build.join(';'),
      digest(`'${identifier(schema)}.index_copy_index'::pg_catalog.regclass`),
    )
  } catch (error) {
    if (error instanceof ServerError) return null
    throw error
  }
}

/** Asks within a transaction of which nothing stays. */
async function within(on: Session, first: string, question: string): Promise<string | null> {
  try {
    await on.execute(`begin;set local lock_timeout = '5s';${first}`)
    const [row] = await on.query<{ digest: string }>(question)
    return row?.digest ?? null
  } finally {
    await on.execute('rollback').catch(() => undefined)
  }
}
