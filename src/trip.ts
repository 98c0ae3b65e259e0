import type { Config } from './config.ts'
import type { UpToDate } from './decide.ts'
import { asFailure, Failure } from './failure.ts'
import type { Outcome, Tell } from './events.ts'
import type { Folder } from './files/folder.ts'
import type { Guarded } from './guarded.ts'
import type { Losses } from './losses.ts'
import type { Patience } from './patience.ts'
import type { Publishing } from './publishing.ts'
import { look, type Ledger, type LedgerEntry } from './postgres/ledger.ts'
import type { Wait } from './postgres/lock.ts'
import { recordEnd, recordStart, success, type Run, type RunEnd } from './postgres/runs.ts'
import type { Session } from './postgres/session.ts'
import { leftBehind } from './postgres/steps.ts'
import type { RolloutWatch } from './rollout-watch.ts'

/** A run as it goes on over connections. */
export interface Trip {
  readonly config: Config
  readonly folder: Folder
  /** Checksum of the folder. */
  readonly set: string
  readonly run: Run
  readonly tell: Tell
  readonly stop: AbortSignal
  readonly losses: Losses
  readonly patience: Patience
  readonly guarded: Guarded
  /** When the run began: what fails later has failed meanwhile. */
  readonly arrivedMs: number
  /** For the lock. */
  readonly wait: Wait
  /** Files whose COMMIT has been answered, as people were told. */
  readonly told: string[]
  /** The file that the server has come to. */
  begun: string | undefined
  /** The ledger has a row of this run. */
  isRecorded: boolean
  /** Nobody else is at work: it has the lock, or where a pooler shares sessions its turn. */
  hasTurn: boolean
  /** Undefined where no file waits for a rollout. */
  readonly rollout: RolloutWatch | undefined
  /** Undefined where no status is wanted. */
  readonly publishing: Publishing | undefined
}

/** A ledger that shows everything. */
export interface Done {
  readonly decision: UpToDate
  readonly rows: readonly LedgerEntry[]
}

/** The end of a run for which the ledger shows everything, whoever did it. */
export async function finish(
  trip: Trip,
  { decision, rows }: Done,
  session: Session,
): Promise<Outcome> {
  const { config, folder, run, tell } = trip
  for (const text of decision.notes) tell({ checkpoint: 'note', text })
  const due = folder.files.filter((file) => !decision.later.includes(file))
  const nothing = { kind: 'nothing-to-do', files: due.length } as const
  if (!trip.isRecorded) return (await publishedNothing(trip, rows, session)) ?? nothing
  const ours = rows.filter((row) => row.run === run.id)
  const covered = ours.filter(({ how }) => how === 'baseline').length
  const applied = ours.filter(({ how }) => how !== 'baseline')
  tellUntold(trip, rows)
  await recordEnd(session, config.schema, run, success)
  const guarded = await trip.guarded.after(session)
  tell({ checkpoint: 'verified', head: due.at(-1)?.file ?? '', files: due.length, guarded })
  const failure = await trip.publishing?.ends(session, rows)
  if (failure !== undefined) return { kind: 'failed', failure }
  if (ours.length === 0) return nothing
  return { kind: 'applied', applied: applied.length, covered }
}

/** What this run has applied on connections before, as the ledger shows it and nobody has told. */
export function tellUntold({ run, told, tell }: Trip, rows: readonly LedgerEntry[]): void {
  for (const row of rows) {
    if (row.run !== run.id || row.how === 'baseline' || told.includes(row.name)) continue
    const text = `${row.name} is applied: the connection was lost behind its COMMIT`
    tell({ checkpoint: 'note', text })
    told.push(row.name)
  }
}

/** Nothing is applied, but the status may say otherwise; only who has the turn may write it. */
async function publishedNothing(
  { publishing, hasTurn }: Trip,
  rows: readonly LedgerEntry[],
  session: Session,
): Promise<Outcome | undefined> {
  const isLeft = publishing !== undefined && hasTurn && !(await publishing.isShown(session, rows))
  const failure = isLeft ? await publishing.ends(session, rows) : publishing?.failure
  return failure && { kind: 'failed', failure }
}

/** Somebody else may be at work from now on. */
export function loseTurn(trip: Trip): void {
  trip.begun = undefined
  trip.hasTurn = false
  trip.publishing?.rests()
}

/** Leaves why a plan was refused where there is a ledger, and returns it: that is what must be told. */
export async function recordRefused(
  { config, set, run }: Trip,
  failure: Failure,
  session: Session,
  ledger: Ledger | undefined,
): Promise<Failure> {
  const { schema, phase } = config
  if (ledger !== undefined)
    await recordStart(session, schema, run, set, phase, failure).catch(() => undefined)
  return failure
}

/** Leaves the end of a failed run in the ledger, as far as that can be; returns what is to be told. */
export async function recordFailure(
  trip: Trip,
  failure: Failure,
  session: Session,
): Promise<Failure> {
  const { begun } = trip
  // The story goes on from the connection.
  if (failure.code === 'CONNECTION_LOST') return failure
  const isCut = failure.code === 'DEADLINE_OVER' && begun !== undefined
  const told = isCut ? new Failure('DEADLINE_IN_FILE', `${begun}: ${failure.message}`) : failure
  // Where the ledger has moved somebody else is at work.
  const isTold = trip.hasTurn && told.code !== 'LEDGER_MOVED'
  const published = isTold ? trip.publishing?.fails(told) : undefined
  const recorded = trip.isRecorded ? await recordInLedger(trip, told, session) : told
  await published
  return recorded
}

async function recordInLedger(trip: Trip, told: Failure, session: Session): Promise<Failure> {
  const { config, run, stop, begun } = trip
  const end = {
    state: stop.aborted ? 'interrupted' : 'failed',
    exitCode: told.exit,
    reason: told.code,
    fileBegun: begun,
  } as const
  // Nothing more is sent on a session that was cancelled, and the failure itself is what must be told.
  if (!stop.aborted && told.code !== 'COPY_REFUSED') {
    await recordEnd(session, config.schema, run, end).catch(() => undefined)
    return told
  }
  const { rows, left } = await recordBeside(session, config, run, end).catch(() => nothingSeen)
  const untold = rows.filter((row) => row.run === run.id && !trip.told.includes(row.name))
  const names = untold.map(({ name }) => name).join(', ')
  const also = names === '' ? [] : [`applied all the same: ${names}`]
  return new Failure(told.code, told.message, [...also, ...left, ...told.more])
}

const nothingSeen = { rows: [], left: [] }

/** An interrupted run has little time. */
const recordBesideMs = 1_000

async function recordBeside(
  over: Session,
  { schema, pooler }: Config,
  run: Run,
  end: RunEnd,
): Promise<{ rows: readonly LedgerEntry[]; left: readonly string[] }> {
  const deadline = AbortSignal.timeout(recordBesideMs)
  await using session = await over.beside(`lockstep/${run.id}/end`, deadline)
  deadline.addEventListener('abort', () => void session.interrupt(asFailure(deadline.reason), 0))
  const { pid, ledger } = await look(session, schema)
  session.confirm(pid, pooler)
  await recordEnd(session, schema, run, end)
  const { fileBegun } = end
  const left = fileBegun === undefined ? [] : await leftBehind(session, schema, fileBegun)
  return { rows: ledger?.rows ?? [], left }
}

export function withProgress(failure: Failure, applied: readonly string[]): Failure {
  const last = applied.at(-1)
  if (last === undefined) return failure
  const files = applied.length === 1 ? last : `${applied.length} files, the last of them ${last}`
  return new Failure(failure.code, failure.message, [
    `applied in this run and kept: ${files}`,
    ...failure.more,
  ])
}
