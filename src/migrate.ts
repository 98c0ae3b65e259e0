import type { Config } from './config.ts'
import { decide, type Plan } from './decide.ts'
import { asFailure, Failure } from './failure.ts'
import type { Outcome, Tell } from './events.ts'
import { Guarded } from './guarded.ts'
import { judge } from './judge.ts'
import { readLargeFiles } from './large-files.ts'
import { Losses } from './losses.ts'
import { nothingFound, type Found } from './objections.ts'
import { openFolder } from './open-folder.ts'
import { Patience } from './patience.ts'
import { pause } from './pause.ts'
import { giveUp } from './postgres/apply.ts'
import { applyInOrder, lacksLock } from './postgres/in-order.ts'
import { applicationName, Connecting, type Connected } from './postgres/connect.ts'
import type { Terms, Work } from './postgres/envelope.ts'
import { findObjects } from './postgres/found.ts'
import { amendLedger, ensureLedger, flushLedger, look, type Ledger } from './postgres/ledger.ts'
import { isTurnLost, lockKey, newWait, takeTurn } from './postgres/lock.ts'
import { failedRun, recordStart, type FailedRun, type Run } from './postgres/runs.ts'
import type { Session } from './postgres/session.ts'
import { holderPid } from './postgres/sessions.ts'
import { serverMajor, sessionSettings } from './postgres/settings.ts'
import { Watch } from './postgres/watch.ts'
import { letFailureRest, refuseIfFailedSince, setChecksum } from './predecessor.ts'
import { Publishing } from './publishing.ts'
import { nothingRecorded } from './recorded.ts'
import { RolloutWatch } from './rollout-watch.ts'
import {
  finish,
  loseTurn,
  recordFailure,
  recordRefused,
  tellUntold,
  withProgress,
  type Done,
  type Trip,
} from './trip.ts'
import { unfit, worksOf, type PlannedWork } from './works.ts'

/**
 * Brings a database to what a folder of SQL files says.
 *
 *  1. The connection is made while the files are read and hashed. A folder that cannot be right
 *     ends the run before anything is asked of the database.
 *  2. One query without the lock: if the ledger shows every file, that is all.
 *  3. The lock, by polling. Whoever finds everything done meanwhile leaves without it. Where a
 *     pooler shares sessions, it is only waited for: a turn may be lost, and steps 3 and 4 repeat.
 *  4. Under the lock the ledger is read again and the plan is made that counts. What cannot be
 *     done is refused before anything is done; a ledger that is there keeps the reason, for gates.
 *     The ledger itself is made if need be.
 *  5. Each file is one transaction together with its ledger row: both are there, or neither. A
 *     file that met a lock or a deadlock is tried again; any other failure ends the run, and what
 *     was applied before it stays applied and recorded.
 *  6. The ledger is read once more and must show the plan.
 *
 * Files of the phase after-rollout may wait for that rollout: without the lock until it is complete,
 * and before each file it is looked at once more.
 *
 * Where a status is published, that is done under the lock: when files begin, after files, and at the
 * end. A run with nothing to do that finds its status telling otherwise takes the lock for that.
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
  const folder = await openFolder(config, tell)
  const set = setChecksum(folder)
  const trip: Trip = {
    config,
    folder,
    set,
    run,
    tell,
    stop,
    losses,
    patience: new Patience(config.retryWaitMs, tell),
    guarded: new Guarded(config, tell),
    arrivedMs: performance.now(),
    wait: newWait(),
    told: [],
    begun: undefined,
    isRecorded: false,
    hasTurn: false,
    rollout:
      config.rollout &&
      new RolloutWatch(config.rollout, config.cluster, config.heartbeatMs, tell, stop),
    publishing: config.status && new Publishing(config.status, config, run, set, tell, stop),
  }
  for (let connecting = first; ; connecting = new Connecting(config, run, tell, stop)) {
    try {
      await using connected = connecting
      return await attempt(trip, await connected.result)
    } catch (error) {
      const failure = asFailure(error)
      if (failure.code !== 'CONNECTION_LOST') throw withProgress(failure, trip.told)
      tell({ checkpoint: 'lost', reason: failure.message, file: trip.begun })
      loseTurn(trip)
      // After a new connection it is told anew what is waited for.
      trip.wait.toldMs = Number.NEGATIVE_INFINITY
      await losses.wait(withProgress(failure, trip.told), stop)
    }
  }
}

/** Steps 2 to 6, on one connection. */
async function attempt(trip: Trip, { session, seen }: Connected): Promise<Outcome> {
  const { config, folder, set, run, tell, stop, wait, publishing } = trip
  const doneIn = (ledger: Ledger | undefined): Done | undefined => {
    const decision = decide(folder, ledger ?? nothingRecorded, nothingFound, config)
    return decision.kind === 'up-to-date' ? { decision, rows: ledger?.rows ?? [] } : undefined
  }
  await readLargeFiles(folder, seen.ledger?.rows ?? [], config, tell, stop)
  const early = doneIn(seen.ledger)
  const isShown = early && ((await publishing?.isShown(session, early.rows)) ?? true)
  if (isShown) return await finish(trip, early, session)
  if (early) wait.sinceMs = performance.now()
  if (isEmpty(seen.ledger)) tellFound(await findObjects(session, config.schema), tell)

  const terms = await prepare(trip, session)
  /** @throws {Failure} SAME_FILES_FAILED, if another has failed since we came */
  const lookAtPredecessor = async (): Promise<FailedRun | undefined> => {
    const failed = await failedRun(session, config.schema, set, config.phase)
    refuseIfFailedSince(trip.arrivedMs, failed)
    return failed
  }
  const lookAgain = async (): Promise<Ledger | undefined> => {
    const { ledger } = await look(session, config.schema)
    // Whoever has nothing to apply fails for nobody.
    if (ledger && !early) await lookAtPredecessor()
    return ledger
  }
  const lookAtOthers = async (): Promise<Done | undefined> => {
    const ledger = await lookAgain()
    const decision = decide(folder, ledger ?? nothingRecorded, nothingFound, config)
    // Where only the first success is to be recorded, that is for whoever holds the lock.
    const isLast = decision.kind === 'pending' && isNothing(decision)
    const done = doneIn(ledger && isLast ? { ...ledger, hasSucceeded: true } : ledger)
    const isLeft = done && (await publishing?.isShownMeanwhile(session, done.rows)) === false
    return isLeft ? undefined : done
  }
  if (seen.ledger && !early) await letFailureRest(await lookAtPredecessor(), trip)
  if (trip.rollout && !early) {
    await trip.rollout.isComplete()
    wait.sinceMs = performance.now()
  }
  for (;;) {
    const toldBefore = trip.told.length
    try {
      const turn = await takeTurn(session, terms.lockKey, lookAtOthers, config, tell, stop, wait)
      trip.hasTurn = turn === 'taken'
      return await finish(trip, turn === 'taken' ? await work() : turn, session)
    } catch (error) {
      const failure = asFailure(error)
      if (early && failure.code === 'RUNNER_WAIT_OVER') {
        publishing?.misses(failure)
        return await finish(trip, early, session)
      }
      if (trip.told.length > toldBefore) wait.sinceMs = performance.now()
      if (!isTurnLost(failure, config, wait)) throw await recordFailure(trip, failure, session)
      loseTurn(trip)
    }
  }

  /** Steps 4 to 6. */
  async function work(): Promise<Done> {
    let ledger = await lookAgain()
    let found = nothingFound
    if (isEmpty(ledger)) {
      found = await findObjects(session, config.schema)
      // Once more: without the lock, others may have applied meanwhile what was found.
      ledger = (await look(session, config.schema)).ledger
    }
    await publishing?.knows(session, ledger?.rows ?? [])
    const decision = await judge(session, config.schema, folder, ledger, found, config)
    if (decision.kind === 'up-to-date') return { decision, rows: ledger?.rows ?? [] }
    if (decision.kind === 'refused')
      throw await recordRefused(trip, decision.failure, session, ledger)
    const works = worksOf(decision, serverMajor(session))
    const refusal = unfit(works) ?? lacksLock(works, terms)
    if (refusal !== undefined) throw await recordRefused(trip, refusal, session, ledger)
    tellPlan(decision, works, tell)

    await ensureLedger(session, config.schema, terms.lockKey, ledger)
    trip.isRecorded = true
    await recordStart(session, config.schema, run, set, config.phase)
    if (decision.mustFlush) await flushLedger(session, config.schema)
    tellUntold(trip, ledger?.rows ?? [])
    await amendLedger(session, config.schema, terms.lockKey, decision)
    const guardTables = await trip.guarded.before(session)
    await applyPlan(trip, session, works, { ...terms, guardTables })
    const after = (await look(session, config.schema)).ledger
    // This run is the success, once it is verified.
    const shown = after && { ...after, hasSucceeded: true }
    const verdict = await judge(session, config.schema, folder, shown, nothingFound, config)
    if (verdict.kind === 'up-to-date') return { decision: verdict, rows: after?.rows ?? [] }
    if (verdict.kind === 'refused') throw verdict.failure
    throw new Failure('VERIFY_FAILED', 'the ledger does not show what was applied')
  }
}

/** Sets what the session needs; nothing where it may be another one for the next transaction. */
async function prepare({ config, run, tell }: Trip, session: Session): Promise<Terms> {
  const application = applicationName(run)
  if (config.pooler === 'allow') {
    const text =
      'LOCKSTEP_POOLER=allow: no lock is held between files, each file is fenced by itself'
    tell({ checkpoint: 'note', text })
  } else {
    await session.execute(sessionSettings(serverMajor(session)))
  }
  return { ...config, lockKey: lockKey(config.schema), run: run.id, application }
}

/** Applies works in order; one that met a lock or a deadlock is tried again, and with it all behind it. */
async function applyPlan(
  trip: Trip,
  session: Session,
  works: readonly Work[],
  terms: Terms,
): Promise<void> {
  const { config, run, tell, stop, losses, patience, told, publishing, rollout } = trip
  trip.begun = works[0]?.file
  losses.begin(works[0]?.file ?? '')
  const watched = config.pooler === 'allow' ? holderPid(terms.lockKey) : session.backend
  await using watch = new Watch(session, watched, `lockstep/${run.id}/watch`, config, tell)
  const begins = ({ file }: Work, isExact: boolean): void => {
    if (isExact) {
      const text = `${file} may lose rows of a guarded table: it is rolled back and run once more, to tell exactly`
      tell({ checkpoint: 'note', text })
    }
    trip.begun = file
    watch.begins(file)
    publishing?.begins()
  }
  for (let left = works; left.length > 0;) {
    try {
      // Between two files a rollback may come: then they are not sent together.
      await rollout?.isStillOurs()
      const next = rollout === undefined ? left : left.slice(0, 1)
      for await (const applied of applyInOrder(session, next, terms, begins, tell)) {
        const { work, durationMs, warnings, report } = applied
        left = left.slice(1)
        told.push(work.file)
        publishing?.applied(work)
        const covers = work.how === 'baseline' ? work.earns.length : 0
        tell({ checkpoint: 'applied', file: work.file, durationMs, covers, warnings, ...report })
        trip.guarded.applied(work.file, report.effects)
      }
    } catch (error) {
      watch.rests()
      const failure = asFailure(error)
      if (failure.code === 'CONNECTION_LOST') losses.inFile(failure, trip.begun)
      if (failure.code !== 'LOCK_TIMEOUT') throw failure
      await giveUp(session)
      const pauseMs = patience.pauseMs(left[0]?.file ?? '', failure, watch.blockers)
      // From here on no file is under way: a loss is not the fault of one, a deadline cuts none.
      trip.begun = undefined
      await pause(pauseMs, stop)
      await session.query('select 1')
    }
  }
  trip.begun = undefined
}

/** A plan that is there for its success only. */
function isNothing({ pending, covered, mustFlush, amendments }: Plan): boolean {
  return pending.length + covered.length + amendments.length === 0 && !mustFlush
}

function isEmpty(ledger: Ledger | undefined): boolean {
  return ledger === undefined || (ledger.rows.length === 0 && ledger.steps.length === 0)
}

function tellFound(found: Found, tell: Tell): void {
  tell({ checkpoint: 'found', tables: found.tables, objects: found.objects })
}

function tellPlan(plan: Plan, works: readonly PlannedWork[], tell: Tell): void {
  const ours = works.flatMap(({ file, notes }) => notes.map((note) => `${file}: ${note}`))
  for (const text of [...plan.notes, ...ours]) tell({ checkpoint: 'note', text })
  tell({
    checkpoint: 'plan',
    covered: plan.covered.map(({ file }) => file),
    pending: plan.pending.map(({ file }) => file),
  })
}
