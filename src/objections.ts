import { changeOf } from './changes.ts'
import { failures } from './errors.ts'
import type { Baseline } from './files/baseline.ts'
import type { Entry } from './files/entry.ts'
import type { Folder, Migration } from './files/folder.ts'
import { compareNames } from './files/name.ts'
import { isSame } from './matching.ts'
import { isAfterRollout } from './phases.ts'
import { count } from './phrases.ts'
import type { LedgerRow } from './recorded.ts'
import { listed, refused, type Refused } from './refusals.ts'

// What speaks against a run: each finds one kind of thing, and names all of it.

type Matched = ReadonlyMap<Entry, LedgerRow>

/** What stands in the database beside the ledger; asked for only while the ledger has no rows. */
export interface Found {
  readonly tables: number
  readonly objects: number
  /** The first few, as `table public.users`. */
  readonly first: readonly string[]
  /** Tables where other tools keep what they applied: `public.flyway_schema_history (Flyway)`. */
  readonly histories: readonly string[]
}

export const nothingFound: Found = { tables: 0, objects: 0, first: [], histories: [] }

/** Somebody's database: what it is may not be guessed. */
export function notEmpty(
  { objects, first, histories }: Found,
  baseline: Baseline | undefined,
): Refused {
  const others = objects > first.length ? ', ...' : ''
  return refused(
    'DATABASE_NOT_EMPTY',
    [
      `the ledger is empty, but the database holds ${count(objects, 'object')}: ${first.join(', ')}${others}`,
      ...histories.map((table) => `another tool has kept its history here: ${table}`),
    ],
    [
      ...(baseline === undefined
        ? []
        : ['it is what baseline.sql builds: lockstep adopt --baseline']),
      'it has what the files up to a version build: lockstep adopt --upto VERSION',
      'others use it too, and all files are to run: LOCKSTEP_BASELINE=ignore',
    ],
  )
}

/** Rows are only ever added, each referring to the one before it; anything else was done by hand. */
export function damaged(rows: readonly LedgerRow[]): Refused | undefined {
  const unfinished = rows.find((row) => !row.finished)
  if (unfinished) {
    return refused('LEDGER_DAMAGED', [
      `row ${unfinished.id} (${unfinished.name}) was begun and never finished`,
    ])
  }
  const broken = rows.find((row, index) => row.previous !== (rows[index - 1]?.id ?? 0))
  if (broken === undefined) return undefined
  return refused('LEDGER_DAMAGED', [
    `row ${broken.id} (${broken.name}) refers to row ${broken.previous}, which is not the one before it`,
  ])
}

export function ofAnother(
  { dir }: Folder,
  rows: readonly LedgerRow[],
  matched: Matched,
): Refused | undefined {
  if (rows.length === 0 || matched.size > 0) return undefined
  return refused('LEDGER_OF_ANOTHER', [
    `the ledger has ${count(rows.length, 'row')}, none of them of a file in ${dir}; it begins with ${rows[0]?.name}`,
  ])
}

/** Files that mean something else than what was applied under their name. */
export function edited(files: readonly Migration[], matched: Matched): Refused | undefined {
  const found = files.filter((file) => {
    const row = matched.get(file)
    return row !== undefined && !isSame(file, row)
  })
  const [first] = found
  if (first === undefined) return undefined
  return refused(
    'FILE_CHANGED',
    found.map((file) => `${file.file} was edited: ${changeOf(file, matched.get(file)?.digests)}`),
    [
      failures.FILE_CHANGED.todo,
      `or, where the database is as the file says now: lockstep adopt --file ${first.file}`,
    ],
  )
}

/** A file that is applied says that images without a certain version break on this schema. */
export function tooOld(
  { files, baseline }: Folder,
  rows: readonly LedgerRow[],
  matched: Matched,
): Refused | undefined {
  const versions = new Set([
    ...[...files, ...(baseline?.covers ?? [])].map(({ version }) => version),
    // Renumbered files have both.
    ...[...matched.values()].map(({ name }) => BigInt(/^\d*/.exec(name)?.[0] ?? 0)),
  ])
  const breaking = rows.filter(
    ({ breaksBefore }) => breaksBefore !== null && !versions.has(BigInt(breaksBefore)),
  )
  if (breaking.length === 0) return undefined
  return refused(
    'IMAGE_TOO_OLD',
    breaking.map(
      ({ name, breaksBefore }) =>
        `${name} is applied, and breaks images without version ${breaksBefore}; this one has no file of it`,
    ),
  )
}

/** What the baseline stands for, and what is neither applied nor here: nobody can apply it. */
export function gap(entries: readonly Entry[], matched: Matched): Refused | undefined {
  const lacking = entries.filter((entry) => !matched.has(entry)).map(({ file }) => file)
  if (lacking.length === 0) return undefined
  return refused('BASELINE_GAP', [
    `${count(lacking.length, 'file')} that baseline.sql stands for ${lacking.length === 1 ? 'is' : 'are'} neither applied nor in the folder: ${listed(lacking)}`,
  ])
}

export function gone(missing: readonly LedgerRow[]): Refused | undefined {
  if (missing.length === 0) return undefined
  return refused(
    'FILE_MISSING',
    missing.map((row) => `${row.name} is applied, but not in this folder`),
  )
}

/**
 * Files to run that are lower than an applied one of this folder. What was held back for its phase
 * is not, nor what was begun already.
 */
export function outOfOrder(
  files: readonly Migration[],
  applied: readonly Entry[],
  begun: ReadonlySet<Migration>,
): Refused | undefined {
  const highest = applied.toSorted(compareNames).at(-1)
  if (highest === undefined) return undefined
  const late = files.filter(
    (file) => compareNames(file, highest) < 0 && !isAfterRollout(file) && !begun.has(file),
  )
  if (late.length === 0) return undefined
  return refused(
    'FILE_OUT_OF_ORDER',
    late.map((file) => `${file.file} is pending, but ${highest.file} is applied`),
  )
}
