import type { AllowedLoss, Effects, TableEffect } from '../events.ts'
import { identifier } from './quote.ts'
import type { Session } from './session.ts'
import type { Finding } from './verdict.ts'

/** What a transaction has told of itself. */
export interface Report {
  readonly effects: Effects
  /** Losses that the file allows. */
  readonly allowed: readonly AllowedLoss[]
}

/** As the ledger has it; null where there is nothing to say. */
export interface Told {
  readonly effects: StoredEffects | null
  readonly guard: readonly Finding[] | null
}

type StoredEffects = Partial<Omit<Effects, 'tables'>> & {
  readonly tables?: readonly (TableEffect & { readonly oid: number })[]
}

/** @param value - of the column in which it stands */
export function readTold(value: unknown): Told {
  // oxlint-disable-next-line no-unsafe-type-assertion -- the ledger's own functions have made it
  return (value ?? { effects: null, guard: null }) as Told
}

/** What every row of the ledger tells, by the name of the file. */
export async function readReports(on: Session, schema: string): Promise<Map<string, Report>> {
  const rows = await on.query<Told & { name: string }>(
    `select name, effects, guard from ${identifier(schema)}.ledger where effects is not null`,
  )
  return new Map(rows.map((row) => [row.name, reportOf(row)]))
}

/** Without what only Lockstep itself needs. */
export function reportOf({ effects, guard }: Told): Report {
  const { tables = [], indexes = [], transactionMs = 0, ...rest } = effects ?? {}
  const shown = tables.map((table): TableEffect => {
    const { oid: _, ...effect } = table
    return effect
  })
  const allowed = (guard ?? []).map((finding): AllowedLoss => {
    const { oid: _, hasKey: _hasKey, isOwn: _isOwn, level: _level, ...loss } = finding
    return loss
  })
  return { effects: { tables: shown, indexes, transactionMs, ...rest }, allowed }
}
