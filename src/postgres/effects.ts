import type { Effects, TableEffect } from '../events.ts'
import { identifier } from './quote.ts'
import type { Session } from './session.ts'
import type { Finding } from './verdict.ts'

/** What a transaction has told of itself. */
export interface Report {
  readonly effects: Effects
  /** Losses that the file allows. */
  readonly allowed: readonly Finding[]
}

/** As the ledger has it. */
interface Told {
  /** Null where nothing was touched. */
  readonly effects: StoredEffects | null
  readonly guard: readonly Finding[] | null
  readonly ms: number
}

type StoredEffects = Partial<Omit<Effects, 'transactionMs' | 'tables'>> & {
  readonly tables?: readonly (TableEffect & { readonly oid: number })[]
}

/** @param told - the value of the column in which it stands */
export function readReport(told: unknown): Report {
  const nothing: Told = { effects: null, guard: null, ms: 0 }
  return reportOf(JSON.parse(JSON.stringify(told ?? nothing)))
}

/** What every row of the ledger tells, by the name of the file. */
export async function readReports(on: Session, schema: string): Promise<Map<string, Report>> {
  const rows = await on.query<Told & { name: string }>(`
    select name, effects, guard, (extract(epoch from finished - started) * 1000)::pg_catalog.float8 as ms
    from ${identifier(schema)}.ledger where effects is not null`)
  return new Map(rows.map((row) => [row.name, reportOf(row)]))
}

/** Without what only Lockstep itself needs. */
function reportOf({ effects, guard, ms }: Told): Report {
  const { tables = [], indexes = [], ...rest } = effects ?? {}
  const shown = tables.map((table): TableEffect => {
    const { oid: _, ...effect } = table
    return effect
  })
  return {
    effects: { tables: shown, indexes, ...rest, transactionMs: ms },
    allowed: guard ?? [],
  }
}
