import type { Decision } from './decide.ts'
import { failures, type FailureCode } from './errors.ts'
import type { AllowedLoss, Blocker, Effects } from './events.ts'
import type { Folder } from './files/folder.ts'
import { isSame, knownEntries, matchRows } from './matching.ts'
import type { Activity } from './postgres/activity.ts'
import type { Report } from './postgres/effects.ts'
import type { InvalidIndex } from './postgres/indexes.ts'
import type { LedgerEntry } from './postgres/ledger.ts'
import { identifier, literal } from './postgres/quote.ts'
import { failedStates, type RunRow } from './postgres/runs.ts'
import { runOfSession, terminateLine } from './postgres/sessions.ts'
import type { Step } from './recorded.ts'

/**
 * All that `status` tells: `--json` prints it as it is, the text is made of it and of nothing else.
 * `docs/status-command.md` says what the fields mean; what there is nothing to say about is left out.
 */
export interface StatusDocument {
  readonly database: string
  readonly state: Decision['kind']
  readonly failure: FailureStatus | undefined
  readonly notes: readonly string[]
  readonly files: readonly FileStatus[]
  readonly hidden: readonly Hidden[]
  /** Names of LOCKSTEP_GUARD_TABLES that guard nothing, in words. */
  readonly unguarded: readonly string[]
  readonly invalidIndexes: readonly InvalidIndex[]
  readonly halfDone: readonly HalfDone[]
  readonly lastFailedRun: RunStatus | undefined
  readonly lastRun: RunStatus | undefined
  readonly lock: Holder | undefined
}

/** Why `lockstep migrate` would refuse. */
interface FailureStatus {
  readonly code: FailureCode
  readonly message: string
  readonly more: readonly string[]
}

/** One file, or one row without a file. */
export interface FileStatus {
  readonly file: string
  readonly state: 'applied' | 'pending' | 'changed' | 'not-in-folder'
  readonly how: string | undefined
  readonly appliedAt: string | undefined
  /** The name under which it was applied, where that is another. */
  readonly appliedAs: string | undefined
  /** What it did; of a baseline with its last file. */
  readonly effects: Effects | undefined
  /** What it did to guarded tables because it may. */
  readonly allowed: readonly AllowedLoss[] | undefined
}

/** What this role may not see, and what its owner can do about it. */
export interface Hidden {
  readonly what: string
  readonly why: string
  readonly grant: string | undefined
}

/** A file of which some statements are done, and not the last. */
interface HalfDone {
  readonly file: string
  /** False: a file of another image. */
  readonly inFolder: boolean
  readonly steps: readonly Omit<Step, 'file'>[]
  /** What shows its rows. */
  readonly look: string
}

export interface RunStatus {
  readonly run: string
  /** As the ledger has it, but `vanished` where it says running and no session of the run is there. */
  readonly state: string
  readonly pod: string | undefined
  readonly image: string | undefined
  readonly startedAt: string
  readonly finishedAt: string | undefined
  /** Since it ended, or began where it has not ended. */
  readonly agoMs: number
  readonly file: string | undefined
  readonly code: string | undefined
  readonly exit: number | undefined
  readonly means: string | undefined
  readonly todo: string | undefined
  readonly retryHelps: boolean | undefined
  /** Files that it applied, which are kept. */
  readonly applied: number
  readonly lastApplied: string | undefined
  /** What shows its log, where it ran in a cluster. */
  readonly logs: string | undefined
}

/** Who holds the lock. */
export interface Holder extends Omit<Activity, 'blockers'> {
  /** Of a Lockstep session: the run and the end of its pod's name. */
  readonly run: string | undefined
  readonly pod: string | undefined
  readonly blockers: readonly BlockerStatus[]
  /** Silent for so long that nobody may be behind it any more. */
  readonly mayBeOrphaned: boolean
  /** What frees the lock, where the holder may be orphaned. */
  readonly terminate: string | undefined
}

interface BlockerStatus extends Blocker {
  readonly terminate: string | undefined
}

/** What has been read. */
export interface Facts {
  readonly database: string
  readonly schema: string
  readonly folder: Folder
  readonly rows: readonly LedgerEntry[]
  readonly decision: Decision
  readonly hidden: readonly Hidden[]
  readonly invalidIndexes: readonly InvalidIndex[]
  readonly halfDone: readonly Step[]
  /** The newest first. */
  readonly runs: readonly RunRow[]
  /** Runs that have a session; undefined where that may not be seen. */
  readonly connected: ReadonlySet<string> | undefined
  readonly holder: Activity | undefined
  /** A living holder of the lock is never idle for longer. */
  readonly longestIdleMs: number
  /** What rows of the ledger tell of their files, by name. */
  readonly reports: ReadonlyMap<string, Report>
  readonly unguarded: readonly string[]
}

export function documentOf(facts: Facts): StatusDocument {
  const { database, decision, hidden, runs, holder } = facts
  const lastFailed = runs.find(({ state }) => failedStates.includes(state))
  const [last] = runs
  return {
    database,
    state: decision.kind,
    failure: decision.kind === 'refused' ? failureOf(decision.failure) : undefined,
    notes: decision.kind === 'refused' ? [] : decision.notes,
    files: filesOf(facts),
    hidden,
    unguarded: facts.unguarded,
    invalidIndexes: facts.invalidIndexes,
    halfDone: halfDoneOf(facts),
    lastFailedRun: lastFailed && runOf(lastFailed, facts),
    lastRun: last && runOf(last, facts),
    lock: holder && holderOf(holder, facts.longestIdleMs),
  }
}

function failureOf({ code, message, more }: FailureStatus): FailureStatus {
  return { code, message, more }
}

function filesOf({ folder, rows, reports }: Facts): FileStatus[] {
  const matched = matchRows(knownEntries(folder, rows), rows)
  const entries = new Map<number, LedgerEntry>(rows.map((row) => [row.id, row]))
  const ours = folder.files.map((file): FileStatus => {
    const entry = entries.get(matched.get(file)?.id ?? 0)
    if (entry === undefined) return pending(file.file)
    const state = isSame(file, entry) ? 'applied' : 'changed'
    return {
      ...applied(entry, state, reports.get(entry.name)),
      file: file.file,
      appliedAs: entry.name === file.file ? undefined : entry.name,
    }
  })
  const used = new Set([...matched.values()].map(({ id }) => id))
  const others = rows
    .filter(({ id }) => !used.has(id))
    .map((row) => applied(row, 'not-in-folder', reports.get(row.name)))
  return [...ours, ...others]
}

function pending(file: string): FileStatus {
  const nothing = { how: undefined, appliedAt: undefined, appliedAs: undefined }
  return { file, state: 'pending', ...nothing, effects: undefined, allowed: undefined }
}

function applied(
  row: LedgerEntry,
  state: FileStatus['state'],
  report: Report | undefined,
): FileStatus {
  return {
    file: row.name,
    state,
    how: row.how,
    appliedAt: isoTime(row.finishedAt),
    appliedAs: undefined,
    effects: report?.effects,
    allowed: report?.allowed,
  }
}

function halfDoneOf({ folder, schema, halfDone }: Facts): HalfDone[] {
  const byFile = Map.groupBy(halfDone, ({ file }) => file)
  return [...byFile].map(([file, rows]) => ({
    file,
    inFolder: folder.files.some((ours) => ours.file === file),
    steps: rows.map(({ ordinal, meaning, state }) => ({ ordinal, meaning, state })),
    look: `select * from ${identifier(schema)}.step where file = ${literal(file)} order by ordinal;`,
  }))
}

function runOf(row: RunRow, { rows, connected }: Facts): RunStatus {
  const isGone = row.state === 'running' && connected?.has(row.id) === false
  const kept = rows.filter(({ run }) => run === row.id)
  const known = isFailureCode(row.reason) ? failures[row.reason] : undefined
  return {
    run: row.id,
    state: isGone ? 'vanished' : row.state,
    pod: row.pod ?? undefined,
    image: row.image ?? undefined,
    startedAt: isoTime(row.started) ?? '',
    finishedAt: isoTime(row.finished),
    agoMs: row.agoMs,
    file: row.fileBegun ?? undefined,
    code: row.reason ?? undefined,
    exit: row.exitCode ?? undefined,
    means: known?.means,
    todo: known?.todo,
    retryHelps: known && known.exit === 75,
    applied: kept.length,
    lastApplied: kept.at(-1)?.name,
    logs: isPodName(row.pod) ? `kubectl logs ${row.pod}` : undefined,
  }
}

function holderOf(activity: Activity, longestIdleMs: number): Holder {
  const { pid, application, state, stateMs = 0, file } = activity
  const { run, pod } = runOfSession(application) ?? {}
  const mayBeOrphaned = (state ?? '').startsWith('idle') && stateMs >= longestIdleMs
  return {
    ...activity,
    // An idle session still shows its last statement.
    file: state === 'active' ? file : undefined,
    run,
    pod,
    blockers: activity.blockers.map((blocker) => ({
      ...blocker,
      // A prepared transaction has no process.
      terminate: blocker.pid === 0 ? undefined : terminateLine(blocker.pid),
    })),
    mayBeOrphaned,
    terminate: mayBeOrphaned ? terminateLine(pid) : undefined,
  }
}

function isFailureCode(code: string | null): code is FailureCode {
  return code !== null && Object.hasOwn(failures, code)
}

/** A name as Kubernetes gives it, which a shell takes as one word. */
function isPodName(pod: string | null): pod is string {
  return pod !== null && /^[a-z0-9][a-z0-9.-]*$/.test(pod)
}

function isoTime(time: string | null): string | undefined {
  return time === null ? undefined : new Date(time).toISOString()
}
