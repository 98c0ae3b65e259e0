import type { Config } from './config.ts'
import {
  decide,
  nothingFound,
  type Decision,
  type Found,
  type Plan,
  type UpToDate,
} from './decide.ts'
import { asFailure, Failure } from './errors.ts'
import type { Outcome, Tell } from './events.ts'
import { readFolder, type Folder } from './files/folder.ts'
import { Losses } from './losses.ts'
import { Patience } from './patience.ts'
import { pause } from './pause.ts'
import { letFailureRest, sameFilesFailed, setChecksum } from './predecessor.ts'
import { applyAll } from './postgres/apply.ts'
import { Connecting, type Connected } from './postgres/connect.ts'
import { worksOf, type Terms, type Work } from './postgres/envelope.ts'
import {
  ensureLedger,
  failedRun,
  findObjects,
  flushLedger,
  look,
  recordEnd,
  recordStart,
  type Ledger,
  type LedgerEntry,
  type Run,
  type RunEnd,
} from './postgres/ledger.ts'
import { lockKey, takeTurn } from './postgres/lock.ts'
import type { Session } from './postgres/session.ts'
import { serverMajor, sessionSettings } from './postgres/settings.ts'
import { Watch } from './postgres/watch.ts'

/**
 * Brings a database to what a folder of SQL files says.
 *
 *  1. The connection is made while the files are read and hashed. A folder that cannot be right
 *     ends the run before anything is asked of the database.
 *  2. One query without the lock: if the ledger shows every file, that is all.
 *  3. The lock, by polling. Whoever finds everything done meanwhile leaves without it.
 *  4. Under the lock the ledger is read again and the plan is made that counts. What cannot be
 *     done is refused before anything has been written. The ledger itself is made if need be.
 *  5. Each file is one transaction together with its ledger row: both are there, or neither. A
 *     file that met a lock or a deadlock is tried again; any other failure ends the run, and what
 *     was applied before it stays applied and recorded.
 *  6. The ledger is read once more and must show the plan.
 *
 * A lost connection is never guessed about: the story begins again from the connection, and the
 * ledger says how far it had come. The lock has no release: it ends with the session.
 *
 * @throws {Failure}
 */
export async function migrate(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<Outcome> {
  const losses = new Losses(config.connectWaitMs)
  await using first = new Connecting(config, run, tell, stop)
  const folder = await readFolder(config.dir, config.maxFileBytes)
  tellFolder(folder, tell)
  const trip: Trip = {
    config,
    folder,
    run,
    tell,
    stop,
    losses,
    patience: new Patience(config.retryWaitMs, tell),
    told: [],
    begun: undefined,
    isRecorded: false,
  }
  for (let connecting = first; ; connecting = new Connecting(config, run, tell, stop)) {
    try {
      await using connected = connecting
      return await attempt(trip, await connected.result)
    } catch (error) {
      const failure = asFailure(error)
      if (failure.code !== 'CONNECTION_LOST') throw withProgress(failure, trip.told)
      tell({ checkpoint: 'lost', reason: failure.message, file: trip.begun })
      trip.begun = undefined
      await losses.wait(withProgress(failure, trip.told), stop)
    }
  }
}

/** A run as it goes on over connections. */
interface Trip {
  readonly config: Config
  readonly folder: Folder
  readonly run: Run
  readonly tell: Tell
  readonly stop: AbortSignal
  readonly losses: Losses
  readonly patience: Patience
  /** Files whose COMMIT has been answered, as people were told. */
  readonly told: string[]
  /** The file that the server has come to. */
  begun: string | undefined
  /** The ledger has a row of this run. */
  isRecorded: boolean
}

/** A ledger that shows everything. */
interface Done {
  readonly decision: UpToDate
  readonly rows: readonly LedgerEntry[]
}

/** Steps 2 to 6, on one connection. */
async function attempt(trip: Trip, { session, seen }: Connected): Promise<Outcome> {
  const { config, folder, run, tell, stop } = trip
  const judge = (ledger: Ledger | undefined, found = nothingFound): Decision =>
    decide(folder, ledger?.rows ?? [], found, config)
  const doneIn = (ledger: Ledger | undefined): Done | undefined => {
    const decision = judge(ledger)
    return decision.kind === 'up-to-date' ? { decision, rows: ledger?.rows ?? [] } : undefined
  }
  const early = doneIn(seen.ledger)
  if (early) return await finish(trip, early, session)
  if (isEmpty(seen.ledger)) tellFound(await findObjects(session, config.schema), tell)

  await session.execute(sessionSettings(serverMajor(session)))
  const terms: Terms = { ...config, lockKey: lockKey(config.schema), run: run.id }
  const set = setChecksum(folder)
  const arrivedMs = performance.now()
  const lookAtOthers = async (): Promise<Done | undefined> => {
    const { ledger } = await look(session, config.schema)
    const failed = ledger && (await failedRun(session, config.schema, set))
    if (failed && failed.agoMs < performance.now() - arrivedMs) throw sameFilesFailed(failed)
    return doneIn(ledger)
  }
  if (seen.ledger)
    await letFailureRest(await failedRun(session, config.schema, set), run, tell, stop)
  const turn = await takeTurn(session, terms.lockKey, lookAtOthers, config, tell, stop)
  if (turn !== 'taken') return await finish(trip, turn, session)

  const { ledger } = await look(session, config.schema)
  const found = isEmpty(ledger) ? await findObjects(session, config.schema) : nothingFound
  const decision = judge(ledger, found)
  if (decision.kind === 'refused') throw decision.failure
  if (decision.kind === 'up-to-date')
    return await finish(trip, { decision, rows: ledger?.rows ?? [] }, session)
  tellPlan(decision, tell)

  await ensureLedger(session, config.schema, ledger)
  await recordStart(session, config.schema, run, set)
  trip.isRecorded = true
  try {
    if (decision.mustFlush) await flushLedger(session, config.schema)
    await applyPlan(trip, session, [...worksOf(decision)], terms)
    const shown = doneIn((await look(session, config.schema)).ledger)
    if (shown === undefined)
      throw new Failure('VERIFY_FAILED', 'the ledger does not show what was applied')
    return await finish(trip, shown, session)
  } catch (error) {
    throw await recordFailure(trip, asFailure(error), session)
  }
}
/** Applies works in order; one that met a lock or a deadlock is tried again, and with it all behind it. */
async function applyPlan(
  trip: Trip,
  session: Session,
  works: readonly Work[],
  terms: Terms,
): Promise<void> {
  const { config, run, tell, stop, losses, patience, told } = trip
  losses.begin(works[0]?.file ?? '')
  await using watch = new Watch(session, `lockstep/${run.id}/watch`, config, tell)
  const begins = ({ file }: Work): void => {
    trip.begun = file
    watch.begins(file)
  }
  for (let left = works; left.length > 0;) {
    try {
      for await (const { work, durationMs, warnings } of applyAll(session, left, terms, begins)) {
        left = left.slice(1)
        told.push(work.file)
        const covers = work.how === 'baseline' ? work.earns.length : 0
        tell({ checkpoint: 'applied', file: work.file, durationMs, covers, warnings })
      }
    } catch (error) {
      watch.rests()
      const failure = asFailure(error)
      if (failure.code === 'CONNECTION_LOST') losses.inFile(failure)
      if (failure.code !== 'LOCK_TIMEOUT') throw failure
      await session.execute('rollback')
      const pauseMs = patience.pauseMs(left[0]?.file ?? '', failure, watch.blockers)
      // From here on no file is under way: a loss is not the fault of one, a deadline cuts none.
      trip.begun = undefined
      await pause(pauseMs, stop)
      await session.query('select 1')
    }
  }
  trip.begun = undefined
}

/** The end of a run for which the ledger shows everything, whoever did it. */
async function finish(trip: Trip, { decision, rows }: Done, session: Session): Promise<Outcome> {
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
  tell({ checkpoint: 'verified', head, files: folder.files.length })
  return { kind: 'applied', applied: applied.length, covered }
}

/** Leaves the end of a failed run in the ledger, as far as that can be; returns what is to be told. */
async function recordFailure(trip: Trip, failure: Failure, session: Session): Promise<Failure> {
  const { config, run, stop, begun } = trip
  // The story goes on from the connection.
  if (failure.code === 'CONNECTION_LOST') return failure
  const isCut = failure.code === 'DEADLINE_OVER' && begun !== undefined
  const told = isCut ? new Failure('DEADLINE_IN_FILE', `${begun}: ${failure.message}`) : failure
  const end = {
    state: stop.aborted ? 'interrupted' : 'failed',
    exitCode: told.exit,
    reason: told.code,
    fileBegun: begun,
  } as const
  // Nothing more is sent on a session that was cancelled, and the failure itself is what must be told.
  const recording = stop.aborted
    ? recordBeside(session, config.schema, run, end)
    : recordEnd(session, config.schema, run, end)
  await recording.catch(() => undefined)
  return told
}

/** An interrupted run has little time. */
const recordBesideMs = 1_500

async function recordBeside(over: Session, schema: string, run: Run, end: RunEnd): Promise<void> {
  const deadline = AbortSignal.timeout(recordBesideMs)
  await using session = await over.beside(`lockstep/${run.id}/end`, deadline)
  deadline.addEventListener('abort', () => void session.interrupt(asFailure(deadline.reason), 0))
  session.confirm((await look(session, schema)).pid)
  await recordEnd(session, schema, run, end)
}

function withProgress(failure: Failure, applied: readonly string[]): Failure {
  const last = applied.at(-1)
  if (last === undefined) return failure
  const files = applied.length === 1 ? last : `${applied.length} files, the last of them ${last}`
  return new Failure(failure.code, failure.message, [
    `applied in this run and kept: ${files}`,
    ...failure.more,
  ])
}

function isEmpty(ledger: Ledger | undefined): boolean {
  return ledger === undefined || ledger.rows.length === 0
}

function tellFolder(folder: Folder, tell: Tell): void {
  for (const text of folder.warnings) tell({ checkpoint: 'warning', text })
  tell({
    checkpoint: 'files',
    files: folder.files.length,
    dir: folder.dir,
    first: folder.files[0]?.file ?? '',
    last: folder.files.at(-1)?.file ?? '',
    baseline: folder.baseline?.version,
  })
}

function tellFound(found: Found, tell: Tell): void {
  tell({ checkpoint: 'found', tables: found.tables, objects: found.objects })
}

function tellPlan(plan: Plan, tell: Tell): void {
  for (const text of plan.notes) tell({ checkpoint: 'note', text })
  tell({
    checkpoint: 'plan',
    covered: plan.covered.map(({ file }) => file),
    pending: plan.pending.map(({ file }) => file),
  })
}
