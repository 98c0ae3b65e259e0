import type { Entry } from './files/entry.ts'
import type { Folder } from './files/folder.ts'
import { blankMeaning } from './files/meaning.ts'
import { compareNames } from './files/name.ts'
import type { LedgerRow } from './recorded.ts'

/**
 * Each file with its row: by name and meaning, else by meaning alone (renumbered, even where the
 * name has meanwhile been given to another file), else by name alone (edited). Of several files and
 * rows of one meaning the first file goes with the first row, so that what once matched goes on
 * matching when other images add rows.
 */
export function matchRows<E extends Entry>(
  files: readonly E[],
  rows: readonly LedgerRow[],
): Map<E, LedgerRow> {
  const byName = new Map(rows.map((row) => [row.name, row]))
  const own = new Map(
    files.flatMap((file): [E, LedgerRow][] => {
      const row = byName.get(file.file)
      return row !== undefined && isSame(file, row) ? [[file, row]] : []
    }),
  )
  const used = new Set(own.values())
  const spare = Map.groupBy(
    rows
      .filter((row) => !used.has(row))
      .flatMap((row) => row.meanings.map((meaning) => ({ meaning, row }))),
    ({ meaning }) => meaning,
  )
  return new Map(
    files.flatMap((file): [E, LedgerRow][] => {
      // Where no row is spare no meaning is asked for: a file need not be cut into tokens.
      const isOpen = spare.size > 0 && !own.has(file) && !isBlank(file)
      const found = isOpen ? spare.get(file.meaning.file) : undefined
      const renumbered = found?.find(({ row }) => !used.has(row))?.row
      if (renumbered) used.add(renumbered)
      const row = own.get(file) ?? renumbered ?? byName.get(file.file)
      return row === undefined ? [] : [[file, row]]
    }),
  )
}

/**
 * The same where some files may be others than those that were applied under their names: these go
 * with no row then.
 */
export function matchLeniently(
  files: readonly Entry[],
  rows: readonly LedgerRow[],
  lenient: ReadonlySet<Entry>,
): { matched: ReadonlyMap<Entry, LedgerRow>; others: ReadonlySet<Entry> } {
  const all = [...matchRows(files, rows)]
  const others = all.filter(([file, row]) => lenient.has(file) && !isSame(file, row))
  return {
    matched: new Map(all.filter((pair) => !others.includes(pair))),
    others: new Set(others.map(([file]) => file)),
  }
}

/** Equal bytes are equal in meaning; only where they differ is a file cut into tokens. */
export function isSame(file: Entry, row: LedgerRow): boolean {
  return (
    (file.checksum !== '' && file.checksum === row.checksum) ||
    row.meanings.includes(file.meaning.file)
  )
}

/** Nothing but comments: such files are told apart by their names only. */
function isBlank({ meaning }: Entry): boolean {
  return meaning.file === blankMeaning
}

/**
 * The files of a folder, and in their order those that are not there any more but are covered by
 * the baseline. One that was renumbered since is the file, not what the baseline has of it.
 */
export function knownEntries({ files, baseline }: Folder, rows: readonly LedgerRow[]): Entry[] {
  const covers = baseline?.covers ?? []
  if (covers.length === 0) return [...files]
  const byName = new Map(rows.map((row) => [row.name, row]))
  const open = files.filter((file) => byName.get(file.file)?.checksum !== file.checksum)
  const here = new Set(files.map(({ file }) => file))
  const taken = new Set(coveredFiles(open, covers).values())
  const gone = covers.filter((entry) => !here.has(entry.file) && !taken.has(entry))
  return [...files, ...gone].toSorted(compareNames)
}

/** Files with what a baseline covers of them, by the same rules as with rows of the ledger. */
export function coveredFiles<E extends Entry>(
  files: readonly E[],
  covers: readonly Entry[],
): Map<E, Entry> {
  const entries = new Map(covers.map((entry, index) => [index + 1, entry]))
  const rows = covers.map(({ file, checksum, meaning }, index): LedgerRow => {
    const id = index + 1
    const rest = { how: 'baseline', breaksBefore: null, over: [], finished: true } as const
    return {
      id,
      previous: index,
      name: file,
      checksum,
      meanings: [meaning.file],
      ...rest,
      flushed: true,
    }
  })
  const found = new Map<E, Entry>()
  for (const [file, { id }] of matchRows(files, rows)) {
    const entry = entries.get(id)
    if (entry) found.set(file, entry)
  }
  return found
}

/** Rows without a file in this folder: missing if a later row of this folder knew them, else ahead. */
export function strangers(
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
