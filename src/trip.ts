import type { Config } from './config.ts'
import type { UpToDate } from './decide.ts'
import { asFailure, Failure } from './errors.ts'
import type { Outcome, Tell } from './events.ts'
import type { Folder } from './files/folder.ts'
import type { Guarded } from './guarded.ts'
import type { Losses } from './losses.ts'
import type { Patience } from './patience.ts'
import { pause } from './pause.ts'
import { look, recordEnd, type LedgerEntry, type Run, type RunEnd } from './postgres/ledger.ts'
import type { Wait } from './postgres/lock.ts'
import type { Session } from './postgres/session.ts'

/** A run as it goes on over connections. */
export interface Trip {
  readonly config: Config
  readonly folder: Folder
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
  const { config, folder, run, tell, told } = trip
  for (const text of decision.notes) tell({ checkpoint: 'note', text })
  if (!trip.isRecorded) return { kind: 'nothing-to-do', files: folder.files.length }
  const ours = rows.filter((row) => row.run === run.id)
  const covered = ours.filter(({ how }) => how === 'baseline').length
  const applied = ours.filter(({ how }) => how !== 'baseline')
  for (const { name } of applied.filter((row) => !told.includes(row.name))) {
    const text = `${name} is applied: the connection was lost behind its COMMIT`
    tell({ checkpoint: 'note', text })
  }
  const end = { state: 'succeeded', exitCode: 0, reason: undefined, fileBegun: undefined } as const
  await recordEnd(session, config.schema, run, end)
  const head = folder.files.at(-1)?.file ?? ''
  const guarded = await trip.guarded.after(session)
  tell({ checkpoint: 'verified', head, files: folder.files.length, guarded })
  if (ours.length === 0) return { kind: 'nothing-to-do', files: folder.files.length }
  return { kind: 'applied', applied: applied.length, covered }
}

/** Leaves the end of a failed run in the ledger, as far as that can be; returns what is to be told. */
export async function recordFailure(
  trip: Trip,
  failure: Failure,
  session: Session,
): Promise<Failure> {
  const { config, run, stop, begun } = trip
  // The story goes on from the connection.
  if (failure.code === 'CONNECTION_LOST' || !trip.isRecorded) return failure
  const isCut = failure.code === 'DEADLINE_OVER' && begun !== undefined
  const told = isCut ? new Failure('DEADLINE_IN_FILE', `${begun}: ${failure.message}`) : failure
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
  const rows = await recordBeside(session, config, run, end).catch(() => [])
  const untold = rows.filter((row) => row.run === run.id && !trip.told.includes(row.name))
  if (untold.length === 0) return told
  const names = untold.map(({ name }) => name).join(', ')
  return new Failure(told.code, told.message, [`applied all the same: ${names}`, ...told.more])
}

/** An interrupted run has little time. */
const recordBesideMs = 1_500
const settleMs = 20

async function recordBeside(
  over: Session,
  { schema, pooler }: Config,
  run: Run,
  end: RunEnd,
): Promise<readonly LedgerEntry[]> {
  const deadline = AbortSignal.timeout(recordBesideMs)
  await using session = await over.beside(`lockstep/${run.id}/end`, deadline)
  deadline.addEventListener('abort', () => void session.interrupt(asFailure(deadline.reason), 0))
  const { pid, ledger } = await look(session, schema)
  session.confirm(pid, pooler)
  await recordEnd(session, schema, run, end)
  // What was on the wire when the session broke off is still worked on, until its server sees that.
  const settled = async (): Promise<readonly LedgerEntry[]> => {
    while (await isThere(session, over.backend)) await pause(settleMs, deadline)
    return (await look(session, schema)).ledger?.rows ?? []
  }
  const seen = ledger?.rows ?? []
  // A pooler keeps its sessions.
  return pooler === 'allow' ? seen : await settled().catch(() => seen)
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

async function isThere(on: Session, pid: number): Promise<boolean> {
  const seen = await on.query(`select from pg_catalog.pg_stat_get_activity(${pid})`)
  return seen.length > 0
}
