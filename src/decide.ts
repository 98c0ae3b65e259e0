import type { Baseline } from './files/baseline.ts'
import type { Entry } from './files/entry.ts'
import type { Folder, Migration } from './files/folder.ts'
import { halfDoneOf, type TakeOver } from './half-done.ts'
import { coveredFiles, knownEntries, matchLeniently, strangers } from './matching.ts'
import {
  damaged,
  edited,
  gap,
  gone,
  notEmpty,
  ofAnother,
  outOfOrder,
  tooOld,
  type Found,
} from './objections.ts'
import { isAfterRollout, shareOf, type Phase } from './phases.ts'
import { count } from './phrases.ts'
import type { LedgerRow, Recorded } from './recorded.ts'
import { listed, refused, type Refused } from './refusals.ts'

export interface Wishes {
  readonly outOfOrder: 'refuse' | 'allow'
  readonly baseline: 'auto' | 'ignore'
  readonly phase: Phase | undefined
}

export type Decision = UpToDate | Plan | Refused

export interface UpToDate {
  readonly kind: 'up-to-date'
  /** Pending, but not for this phase. */
  readonly later: readonly Migration[]
  readonly notes: readonly string[]
}

export interface Plan {
  readonly kind: 'pending'
  /** Builds an empty database in place of the covered files. */
  readonly baseline: Baseline | undefined
  readonly covered: readonly Entry[]
  readonly pending: readonly Migration[]
  /** Pending, but not for this phase. */
  readonly later: readonly Migration[]
  /** Id of the last row, 0 where there is none. */
  readonly head: number
  /** What every new row keeps as `over`. */
  readonly over: readonly number[]
  /** The last row is a relaxed commit that must be made durable. */
  readonly mustFlush: boolean
  /** Rows whose `breaks_before` the file now says otherwise. */
  readonly amendments: readonly Amendment[]
  /** Steps that go on under another name. */
  readonly takeOvers: readonly TakeOver[]
  readonly notes: readonly string[]
}

interface Amendment {
  readonly id: number
  readonly breaksBefore: string | null
}

/**
 * Files and ledger -> what to do, or why nothing can be done. Pure: it sees values, changes nothing.
 *
 * It decides over any sequence of releases, rollbacks, hotfixes, squashes and edits, and keeps one
 * promise (a property test holds it): after a success the same image never refuses, but for a
 * `breaks-before` that is applied later.
 *
 *  - A file is its whole name; what it says is its meaning. Equal bytes need no look at it.
 *  - A file without a row and a row without a file, of the same meaning, are the same file.
 *  - A row that this image lacks is *ahead* if no later row of this image knew it (an older image
 *    after a rollback): no error. Else it is *missing*, which only refuses where files are to run.
 *  - A file to run below an applied file of this folder is out of order, unless it was held back
 *    for its phase, or is half done.
 *  - No rows and nothing found is an empty database: the baseline builds it. No rows and something
 *    found is somebody's database: refused.
 */
export function decide(folder: Folder, recorded: Recorded, found: Found, wishes: Wishes): Decision {
  const { rows, steps } = recorded
  const isFirst = rows.length === 0 && steps.length === 0
  return (
    damaged(rows) ??
    (isFirst ? decideFirst(folder, found, wishes) : decideNext(folder, recorded, wishes))
  )
}

const nothingElse = {
  later: [],
  head: 0,
  over: [],
  mustFlush: false,
  amendments: [],
  takeOvers: [],
  notes: [],
} as const

function decideFirst(folder: Folder, found: Found, wishes: Wishes): Decision {
  const { files, baseline } = folder
  const isIgnored = wishes.baseline === 'ignore'
  if (found.objects > 0 && !isIgnored) return notEmpty(found, baseline)
  if (baseline === undefined || isIgnored) {
    const refusal = gap(goneEntries(folder, knownEntries(folder, [])), new Map())
    return (
      refusal ?? {
        kind: 'pending',
        baseline: undefined,
        covered: [],
        pending: files,
        ...nothingElse,
      }
    )
  }
  const covers = baseline.covers ?? files.filter(({ version }) => version <= baseline.upto)
  const standFor = coveredFiles(files, covers)
  const others = [...standFor].filter(([file, entry]) => file.meaning.file !== entry.meaning.file)
  if (others.length > 0) {
    const problems = others.map(([{ file }]) => `${file} is not as baseline.sql covers it`)
    return refused('FILE_CHANGED', problems, waysToCover)
  }
  // A row has the bytes of the file, where that is still here.
  const fileOf = new Map([...standFor].map(([file, entry]) => [entry, file]))
  return {
    kind: 'pending',
    baseline,
    covered: covers.map((entry) => withBytes(entry, fileOf.get(entry) ?? entry)),
    pending: files.filter((file) => !standFor.has(file)),
    ...nothingElse,
  }
}

const waysToCover = [
  'restore the file, or make baseline.sql anew: lockstep check --baseline --print',
]

function withBytes({ file, version }: Entry, { checksum, directives, meaning }: Entry): Entry {
  return { file, version, checksum, directives, meaning }
}

function decideNext(folder: Folder, recorded: Recorded, wishes: Wishes): Decision {
  const { rows, steps, hasSucceeded } = recorded
  const known = knownEntries(folder, rows)
  // Files that this phase leaves alone may have been edited before a newer image applied them.
  const isBefore = wishes.phase === 'before-rollout' && hasSucceeded
  const lenient = new Set<Entry>(isBefore ? folder.files.filter(isAfterRollout) : [])
  const { matched, others } = matchLeniently(known, rows, lenient)
  const refusal =
    ofAnother(folder, rows, matched) ??
    edited(folder.files, matched) ??
    tooOld(folder, rows, matched) ??
    gap(goneEntries(folder, known), matched)
  if (refusal !== undefined) return refusal

  const pending = folder.files.filter((file) => !matched.has(file) && !others.has(file))
  const mayPass = wishes.outOfOrder === 'allow'
  const share = shareOf(pending, wishes.phase, hasSucceeded, mayPass)
  const { ahead, missing } = strangers(rows, new Set(matched.values()))
  // Until a run has succeeded, the files that a baseline lacks may still follow it.
  const applied = folder.files.filter((file) => {
    const row = matched.get(file)
    return row !== undefined && (hasSucceeded || row.how !== 'baseline')
  })
  const { now, later } = share
  const halfDone = halfDoneOf(now, later, steps)
  const stop =
    halfDone.refusal ??
    share.refusal ??
    (now.length === 0 ? undefined : gone(missing)) ??
    (mayPass ? undefined : outOfOrder(now, applied, halfDone.begun))
  if (stop !== undefined) return stop

  const notes = [...notesOf(matched, others, ahead, missing), ...halfDone.notes, ...share.notes]
  const mustFlush = rows.at(-1)?.flushed === false
  const amendments = amendmentsOf(folder, rows, matched, now)
  const isDone = now.length === 0 && !mustFlush && amendments.length === 0
  // A first success is recorded even where nothing is left to do: from then on phases count.
  if (isDone && hasSucceeded) return { kind: 'up-to-date', later, notes }
  return {
    kind: 'pending',
    baseline: undefined,
    covered: [],
    pending: now,
    later,
    head: rows.at(-1)?.id ?? 0,
    over: [...ahead, ...missing].map((row) => row.id).toSorted((a, b) => a - b),
    mustFlush,
    amendments,
    takeOvers: halfDone.takeOvers,
    notes,
  }
}

/** What only the baseline still knows. */
function goneEntries({ files }: Folder, known: readonly Entry[]): Entry[] {
  const here = new Set<Entry>(files)
  return known.filter((entry) => !here.has(entry))
}

/**
 * `breaks-before` is the one directive that an edit of an applied file changes, so that a wrong one
 * can be lifted. Not by an image that only finds nothing to do on a newer one's schema.
 */
function amendmentsOf(
  { files }: Folder,
  rows: readonly LedgerRow[],
  matched: ReadonlyMap<Entry, LedgerRow>,
  now: readonly Migration[],
): Amendment[] {
  const last = rows.at(-1)
  const isNewest = now.length > 0 || [...matched.values()].some((row) => row === last)
  if (!isNewest) return []
  return files.flatMap((file) => {
    const row = matched.get(file)
    const breaksBefore = file.directives.breaksBefore?.toString() ?? null
    return row === undefined || row.breaksBefore === breaksBefore
      ? []
      : [{ id: row.id, breaksBefore }]
  })
}

function notesOf(
  matched: ReadonlyMap<Entry, LedgerRow>,
  others: ReadonlySet<Entry>,
  ahead: readonly LedgerRow[],
  missing: readonly LedgerRow[],
): string[] {
  const pairs = [...matched]
  const renumbered = pairs.filter(([file, row]) => file.file !== row.name)
  const otherBytes = pairs.filter(
    ([file, row]) => file.checksum !== '' && row.checksum !== '' && file.checksum !== row.checksum,
  )
  const cosmetic = otherBytes.filter(([file, row]) => row.meanings[0] === file.meaning.file)
  const adopted = otherBytes.filter((pair) => !cosmetic.includes(pair))
  return [
    ...renumbered.map(([file, row]) => `${file.file} is applied already, as ${row.name}`),
    ...note('edited in comments or white space only', filesOf(cosmetic)),
    ...note('edited, and adopted as it is now', filesOf(adopted)),
    ...note(
      'not as it was applied, which the phase after-rollout would refuse',
      [...others].map(({ file }) => file),
    ),
    ...note(`the schema is ahead of this folder by ${count(ahead.length, 'file')}`, namesOf(ahead)),
    ...note('applied, but no longer in this folder', namesOf(missing)),
  ]
}

function note(what: string, names: readonly string[]): string[] {
  return names.length > 0 ? [`${what}: ${listed(names)}`] : []
}

function filesOf(pairs: readonly [Entry, LedgerRow][]): string[] {
  return pairs.map(([{ file }]) => file)
}

function namesOf(rows: readonly LedgerRow[]): string[] {
  return rows.map(({ name }) => name)
}
