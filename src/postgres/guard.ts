import type { Allowance } from '../files/allowance.ts'
import { sqlName, type TablePattern } from '../files/table-name.ts'
import { inDollars, literal } from './quote.ts'
import type { Exact } from './verdict.ts'

/** What of a work matters to the guard. */
interface Watched {
  readonly file: string
  readonly allowances: readonly Allowance[]
  /** There where its statements have transactions of their own. */
  readonly step?: unknown
}

/**
 * What begins to watch: says what is guarded and what the file may do. Names are resolved here,
 * outside of the function, whose search_path is its own.
 * Where the statements of a file have transactions of their own a bound is for all of them. In a
 * rehearsal other files have run in the same transaction.
 */
export function watching(
  ledger: string,
  tables: readonly TablePattern[],
  { allowances, file, step }: Watched,
  isRehearsal: boolean,
): string {
  const named = tables.filter(({ isAll }) => !isAll).map((table) => toOid(table))
  const spaces = tables.filter(({ isAll }) => isAll).map(({ schema }) => literal(schema ?? '*'))
  const allowed = allowances.map(({ words, atMost, table }) => {
    const bound = atMost === undefined ? '' : `,'atMost',${atMost}`
    return `pg_catalog.json_build_object('words','{${words.join(',')}}'::pg_catalog.text[],'on',${toOid(table)}${bound})`
  })
  const values = [
    `ARRAY[${named.join(',')}]::pg_catalog.oid[]`,
    `ARRAY[${spaces.join(',')}]::pg_catalog.text[]`,
    allowed.length === 0
      ? `'[]'`
      : `pg_catalog.json_build_array(${allowed.join(',')})::pg_catalog.jsonb`,
    ...(step === undefined && !isRehearsal ? [] : [step === undefined ? 'null' : literal(file)]),
    ...(isRehearsal ? ['true'] : []),
  ]
  return `SELECT ${ledger}.watch(${values.join(',')});`
}

/** What keeps the keys, before the text of the file. */
export function keeping(ledger: string, { roots, refilled, mode }: Exact): string {
  return `SELECT ${ledger}.keep('{${roots.join(',')}}','{${refilled.join(',')}}',${literal(mode)});`
}

/** What looks, with its types: all other functions it looks at itself. */
export const closingFunction = 'close(int8,int8,bool,oid[])'

/**
 * The call of `close`. Every argument has its very type, so that no function of the same name that a
 * file makes fits better.
 */
export function closing(
  ledger: string,
  [first, last]: readonly [number, number],
  guards: boolean,
  exact: Exact | undefined,
): string {
  const roots = exact === undefined ? 'NULL' : inDollars(`{${exact.roots.join(',')}}`)
  return `${ledger}.close(${first}::pg_catalog.int8,${last}::pg_catalog.int8,${guards},${roots}::pg_catalog.oid[])`
}

function toOid(table: TablePattern | Allowance['table']): string {
  return `pg_catalog.to_regclass(${literal(sqlName(table))})::pg_catalog.oid`
}
