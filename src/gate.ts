import { Failure } from './failure.ts'
import type { Folder } from './files/folder.ts'
import { certainOf, needOf } from './needs.ts'
import { count, seconds } from './phrases.ts'
import type { LedgerRow } from './recorded.ts'
import { listed } from './refusals.ts'

/** What a gate waits for: all that an image needs, or without files a row of this version. */
export type Wanted =
  | { readonly folder: Folder }
  /** `version` as it was written: `0042`. */
  | { readonly version: string }

/** What a gate sees at one look. */
export interface Sight {
  /** In the order of the ledger. */
  readonly rows: readonly LedgerRow[]
  /** The newest run that could apply what is waited for, as far as it can be seen. */
  readonly run: SeenRun | undefined
  /** Lines for people: what cannot be seen, and why. */
  readonly hints: readonly string[]
}

export interface SeenRun {
  readonly id: string
  readonly state: string
  readonly exit: number | undefined
  readonly error: string | undefined
  /** What is told of the reason beside its code: a line, or the file that was under way. */
  readonly detail: string | undefined
  /** It is a run of the same files. */
  readonly isOurs: boolean
  /** Since it ended, or began where it has not ended. */
  readonly agoMs: number
  /** What shows its log. */
  readonly logs: string | undefined
}

export type Verdict =
  | { readonly kind: 'open'; readonly files: number; readonly ahead: readonly string[] }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'waits'; readonly lacking: string; readonly because: string }

/** So long after a failure somebody may still be about to try again. */
const restMs = 60_000

/**
 * Whether pods may start. Asked in this order: does the schema mean something else than this image, then
 * waiting does not help; is all there that is needed, then any run may say what it likes; has a run of
 * the same files failed, then waiting does not help either. Else it waits: on any doubt a gate is shut.
 *
 * @param waitedMs - since this gate began
 */
export function judgeGate(wanted: Wanted, { rows, run }: Sight, waitedMs: number): Verdict {
  const need = 'folder' in wanted ? needOfFolder(wanted.folder, rows) : needOfVersion(wanted, rows)
  if (need.refusal !== undefined) return { kind: 'refused', failure: need.refusal }
  if (need.lacking.length === 0) return { kind: 'open', files: need.files, ahead: need.ahead }
  const many = need.lacking.length > 1 ? `${count(need.lacking.length, 'file')}: ` : ''
  const lacking = `${many}${listed(need.lacking)}`
  const hasFailed = run?.isOurs === true && run.exit === 1
  if (run !== undefined && hasFailed && (run.agoMs < waitedMs || run.agoMs > restMs))
    return { kind: 'refused', failure: runFailed(run, lacking) }
  return { kind: 'waits', lacking, because: runText(run) }
}

interface Need {
  readonly files: number
  readonly lacking: readonly string[]
  readonly ahead: readonly string[]
  readonly refusal: Failure | undefined
}

function needOfFolder(folder: Folder, rows: readonly LedgerRow[]): Need {
  const { lacking, matched, refusal } = needOf(folder, rows)
  const ours = new Set(matched.values())
  const highest = folder.files.at(-1)?.version ?? 0n
  const isAhead = (row: LedgerRow): boolean => !ours.has(row) && versionOf(row) > highest
  return {
    files: folder.files.length,
    lacking: lacking.map(({ file }) => file),
    ahead: rows.filter(isAhead).map(({ name }) => name),
    refusal: refusal?.failure,
  }
}

/** An image without files is as old as the version that it asks for. It promises nothing of lower ones. */
function needOfVersion(
  { version }: { readonly version: string },
  rows: readonly LedgerRow[],
): Need {
  const own = BigInt(version)
  const certain = certainOf(rows)
  const first = certain.find(
    ({ breaksBefore }) => breaksBefore !== null && BigInt(breaksBefore) > own,
  )
  const failure =
    first === undefined
      ? undefined
      : new Failure(
          'IMAGE_TOO_OLD',
          `${first.name} is applied, and breaks images without version ${first.breaksBefore}; this one asks for ${version}`,
        )
  const isThere = certain.some((row) => versionOf(row) === own)
  return {
    files: 1,
    lacking: isThere ? [] : [`version ${version}`],
    ahead: certain.filter((row) => versionOf(row) > own).map(({ name }) => name),
    refusal: failure,
  }
}

function versionOf({ name }: LedgerRow): bigint {
  return BigInt(/^\d*/.exec(name)?.[0] ?? 0)
}

function runFailed(run: SeenRun, lacking: string): Failure {
  return new Failure(
    'SAME_FILES_FAILED',
    `run ${run.id} of the same files failed with ${whyOf(run)}`,
    [`not applied: ${lacking}`, ...lookAt(run), 'what it names must be mended first'],
  )
}

/** What people are told of the run that a gate follows. */
export function runText(run: SeenRun | undefined): string {
  if (run === undefined) return 'no run has begun that could apply it'
  const { id, state, agoMs, isOurs } = run
  const which = isOurs ? `run ${id}` : `run ${id} of another image`
  if (state === 'running') return `${which} has been under way for ${seconds(agoMs)}`
  if (state === 'succeeded') return `${which} succeeded ${seconds(agoMs)} ago without it`
  return `${which} ended with ${whyOf(run)} ${seconds(agoMs)} ago`
}

function whyOf({ error, state, detail }: SeenRun): string {
  return `${error ?? state}${detail === undefined ? '' : ` (${detail})`}`
}

/** What shows why. */
export function lookAt(run: SeenRun | undefined): readonly string[] {
  return run?.logs === undefined ? [] : [`its log: ${run.logs}`]
}
