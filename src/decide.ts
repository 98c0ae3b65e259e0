import { Failure } from './errors.ts'
import type { Baseline, Folder, Migration } from './files/folder.ts'
import { compareNames } from './files/name.ts'
import { count } from './phrases.ts'

/** A row of the ledger, as far as deciding needs it. Rows come in the order of their ids. */
export interface LedgerRow {
  readonly id: number
  /** The id of the row before it, 0 for the first: the chain. */
  readonly previous: number
  /** Name of the file, its identity. */
  readonly name: string
  readonly checksum: string
  /** Ids of the rows whose files the applying image did not have. */
  readonly over: readonly number[]
  readonly finished: boolean
  /** False only for a relaxed commit: visible, but not certain to survive a crash. */
  readonly flushed: boolean
}

/** What stands in the database beside the ledger; asked for only while the ledger has no rows. */
export interface Found {
  readonly tables: number
  readonly objects: number
  /** The first few, as `table public.users`. */
  readonly first: readonly string[]
}

export const nothingFound: Found = { tables: 0, objects: 0, first: [] }

export interface Wishes {
  readonly outOfOrder: 'refuse' | 'allow'
  readonly baseline: 'auto' | 'ignore'
}

export type Decision = UpToDate | Plan | Refused

export interface UpToDate {
  readonly kind: 'up-to-date'
  readonly notes: readonly string[]
}

interface Refused {
  readonly kind: 'refused'
  readonly failure: Failure
}

export interface Plan {
  readonly kind: 'pending'
  /** Builds an empty database in place of the covered files. */
  readonly baseline: Baseline | undefined
  readonly covered: readonly Migration[]
  readonly pending: readonly Migration[]
  /** Id of the last row, 0 where there is none. */
  readonly head: number
  /** What every new row keeps as `over`. */
  readonly over: readonly number[]
  /** The last row is a relaxed commit that must be made durable. */
  readonly mustFlush: boolean
  readonly notes: readonly string[]
}

/**
 * Files and ledger -> what to do, or why nothing can be done. Pure: it sees values, changes nothing.
 *
 * It decides over any sequence of releases, rollbacks and hotfixes, and keeps one promise (a
 * property test holds it): after a success the same image never refuses.
 *
 *  - A file is its whole name. One that has no row and one row that has no file, of the same
 *    content, are the same file under a new number.
 *  - A row that this image lacks is *ahead* if no later row of this image knew it (an older image
 *    after a rollback): no error. Else it is *missing*, which only refuses where files are pending.
 *  - A pending file below an applied file of this folder is out of order.
 *  - No rows and nothing found is an empty database: the baseline builds it. No rows and something
 *    found is somebody's database: refused.
 */
export function decide(
  folder: Folder,
  rows: readonly LedgerRow[],
  found: Found,
  wishes: Wishes,
): Decision {
  const damage = damageOf(rows)
  if (damage !== undefined) return refused('LEDGER_DAMAGED', [damage])
  return rows.length === 0 ? decideFirst(folder, found, wishes) : decideNext(folder, rows, wishes)
}

function decideFirst(folder: Folder, found: Found, wishes: Wishes): Decision {
  if (found.objects > 0 && wishes.baseline !== 'ignore') {
    const others = found.objects > found.first.length ? ', ...' : ''
    return refused('DATABASE_NOT_EMPTY', [
      `the ledger is empty, but the database holds ${count(found.objects, 'object')}: ${found.first.join(', ')}${others}`,
    ])
  }
  const { baseline } = folder
  const covers = (file: Migration): boolean =>
    wishes.baseline === 'auto' && baseline !== undefined && file.version <= baseline.upto
  const covered = folder.files.filter(covers)
  return {
    kind: 'pending',
    baseline: covered.length > 0 ? baseline : undefined,
    covered,
    pending: folder.files.filter((file) => !covers(file)),
    head: 0,
    over: [],
    mustFlush: false,
    notes: [],
  }
}

function decideNext(folder: Folder, rows: readonly LedgerRow[], wishes: Wishes): Decision {
  const matched = matchRows(folder.files, rows)
  if (matched.size === 0) {
    return refused('LEDGER_OF_ANOTHER', [
      `the ledger has ${count(rows.length, 'row')}, none of them of a file in ${folder.dir}; it begins with ${rows[0]?.name}`,
    ])
  }
  const changed = folder.files.filter((file) => {
    const row = matched.get(file)
    return row !== undefined && row.checksum !== file.checksum
  })
  if (changed.length > 0) {
    const problems = changed.map(
      (file) =>
        `${file.file} was edited: applied as ${short(matched.get(file)?.checksum)}, now ${short(file.checksum)}`,
    )
    return refused('FILE_CHANGED', problems)
  }

  const pending = folder.files.filter((file) => !matched.has(file))
  const { ahead, missing } = strangers(rows, new Set(matched.values()))
  const mustFlush = rows.at(-1)?.flushed === false
  const notes = notesOf(matched, ahead, missing)
  if (pending.length === 0 && !mustFlush) return { kind: 'up-to-date', notes }

  const refusal =
    pending.length > 0 ? refusalOf(pending, [...matched.keys()], missing, wishes) : undefined
  if (refusal !== undefined) return refusal
  return {
    kind: 'pending',
    baseline: undefined,
    covered: [],
    pending,
    head: rows.at(-1)?.id ?? 0,
    over: [...ahead, ...missing].map((row) => row.id).toSorted((a, b) => a - b),
    mustFlush,
    notes,
  }
}

function refusalOf(
  pending: readonly Migration[],
  applied: readonly Migration[],
  missing: readonly LedgerRow[],
  wishes: Wishes,
): Refused | undefined {
  if (missing.length > 0) {
    return refused(
      'FILE_MISSING',
      missing.map((row) => `${row.name} is applied, but not in this folder`),
    )
  }
  const highest = applied.toSorted(compareNames).at(-1)
  const late = pending.filter((file) => highest !== undefined && compareNames(file, highest) < 0)
  if (late.length === 0 || wishes.outOfOrder === 'allow') return undefined
  return refused(
    'FILE_OUT_OF_ORDER',
    late.map((file) => `${file.file} is pending, but ${highest?.file} is applied`),
  )
}

/**
 * Each file with its row: by name and content, else by content alone (renumbered, even where the
 * name has meanwhile been given to another file), else by name alone (edited). Of several files and
 * rows of one content the first file goes with the first row, so that what once matched goes on
 * matching when other images add rows.
 */
export function matchRows(
  files: readonly Migration[],
  rows: readonly LedgerRow[],
): Map<Migration, LedgerRow> {
  const byName = new Map(rows.map((row) => [row.name, row]))
  const ours = new Set(files.map((file) => file.file))
  const spare = Map.groupBy(
    rows.filter(({ name }) => !ours.has(name)),
    ({ checksum }) => checksum,
  )
  const matched = new Map<Migration, LedgerRow>()
  for (const file of files) {
    const own = byName.get(file.file)
    const isUnchanged = own?.checksum === file.checksum
    const renumbered = isUnchanged || isBlank(file) ? undefined : spare.get(file.checksum)?.shift()
    const row = renumbered ?? own
    if (row !== undefined) matched.set(file, row)
  }
  return matched
}

/** Nothing but comments: such files are told apart by their names only. */
function isBlank({ meaning }: Migration): boolean {
  return meaning.statements.length === 0
}

/** Rows without a file in this folder: missing if a later row of this folder knew them, else ahead. */
function strangers(
  rows: readonly LedgerRow[],
  ours: ReadonlySet<LedgerRow>,
): { ahead: LedgerRow[]; missing: LedgerRow[] } {
  const ahead: LedgerRow[] = []
  const missing: LedgerRow[] = []
  for (const row of rows.filter((candidate) => !ours.has(candidate))) {
    const known = rows.some(
      (later) => later.id > row.id && ours.has(later) && !later.over.includes(row.id),
    )
    ;(known ? missing : ahead).push(row)
  }
  return { ahead, missing }
}

function notesOf(
  matched: ReadonlyMap<Migration, LedgerRow>,
  ahead: readonly LedgerRow[],
  missing: readonly LedgerRow[],
): string[] {
  const renumbered = [...matched].filter(([file, row]) => file.file !== row.name)
  return [
    ...renumbered.map(([file, row]) => `${file.file} is applied already, as ${row.name}`),
    ...(ahead.length > 0
      ? [`the schema is ahead of this folder by ${count(ahead.length, 'file')}: ${names(ahead)}`]
      : []),
    ...(missing.length > 0 ? [`applied, but no longer in this folder: ${names(missing)}`] : []),
  ]
}

/** Rows are only ever added, each referring to the one before it; anything else was done by hand. */
function damageOf(rows: readonly LedgerRow[]): string | undefined {
  const unfinished = rows.find((row) => !row.finished)
  if (unfinished) return `row ${unfinished.id} (${unfinished.name}) was begun and never finished`
  const broken = rows.find((row, index) => row.previous !== (rows[index - 1]?.id ?? 0))
  if (broken)
    return `row ${broken.id} (${broken.name}) refers to row ${broken.previous}, which is not the one before it`
  return undefined
}

function refused(
  code: ConstructorParameters<typeof Failure>[0],
  problems: readonly string[],
): Refused {
  const [first = '', ...others] = problems
  return {
    kind: 'refused',
    failure: new Failure(code, first, [...others, ...new Failure(code, first).more]),
  }
}

function names(rows: readonly LedgerRow[]): string {
  const shown = rows.slice(0, 5).map((row) => row.name)
  return rows.length > shown.length ? `${shown.join(', ')}, ...` : shown.join(', ')
}

function short(checksum: string | undefined): string {
  return (checksum ?? '').slice(0, 12)
}
