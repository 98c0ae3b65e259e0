import type { Entry } from './files/entry.ts'
import type { Folder } from './files/folder.ts'
import { knownEntries, matchLeniently } from './matching.ts'
import { edited, tooOld } from './objections.ts'
import { isAfterRollout } from './phases.ts'
import type { LedgerRow } from './recorded.ts'
import type { Refused } from './refusals.ts'

export interface Need {
  /** Not applied yet, or not certain to survive a crash. */
  readonly lacking: readonly Entry[]
  /** What is there for it. */
  readonly matched: ReadonlyMap<Entry, LedgerRow>
  /** Why waiting does not help. */
  readonly refusal: Refused | undefined
}

/** Rows that survive a crash: a commit that waits for the disk makes all before it durable. */
export function certainOf<R extends Pick<LedgerRow, 'flushed'>>(rows: readonly R[]): readonly R[] {
  return rows.slice(0, rows.findLastIndex(({ flushed }) => flushed) + 1)
}

/**
 * What pods of an image need of the schema, and what of it is not there: all its files but those
 * that wait for the end of the rollout. That the schema has more is no harm, unless it says so.
 */
export function needOf(folder: Folder, rows: readonly LedgerRow[]): Need {
  const certain = certainOf(rows)
  const known = knownEntries(folder, certain)
  const later = new Set<Entry>(folder.files.filter(isAfterRollout))
  const { matched } = matchLeniently(known, certain, later)
  return {
    lacking: known.filter((entry) => !matched.has(entry) && !later.has(entry)),
    matched,
    refusal: edited(folder.files, matched) ?? tooOld(folder, certain, matched),
  }
}
