import { hash } from 'node:crypto'
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
import { apply, type Terms, type Work } from './postgres/apply.ts'
import { Connecting } from './postgres/connect.ts'
import {
  ensureLedger,
  findObjects,
  flushLedger,
  look,
  recordEnd,
  recordStart,
  type Ledger,
  type Run,
} from './postgres/ledger.ts'
import { lockKey, takeTurn } from './postgres/lock.ts'
import type { Session } from './postgres/session.ts'
import { serverMajor, sessionSettings } from './postgres/settings.ts'

/**
 * Brings a database to what a folder of SQL files says.
 *
 *  1. The connection is made while the files are read and hashed. A folder that cannot be right
 *     ends the run before anything is asked of the database.
 *  2. One query without the lock: if the ledger shows every file, that is all.
 *  3. The lock, by polling. Whoever finds everything done meanwhile leaves without it.
 *  4. Under the lock the ledger is read again and the plan is made that counts. What cannot be
 *     done is refused before anything has been written. The ledger itself is made if need be.
 *  5. Each file is one transaction together with its ledger row: both are there, or neither. The
 *     first failure ends the run; what was applied before it stays applied and recorded.
 *  6. The ledger is read once more and must show the plan.
 *
 * The lock has no release: it ends with the session, and the session with this function.
 *
 * @throws {Failure}
 */
export async function migrate(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<Outcome> {
  await using connecting = new Connecting(config, run, tell, stop)
  const folder = await readFolder(config.dir, config.maxFileBytes)
  tellFolder(folder, tell)
  const { session, seen } = await connecting.result

  const judge = (ledger: Ledger | undefined, found = nothingFound): Decision =>
    decide(folder, ledger?.rows ?? [], found, config)
  const doneBy = (ledger: Ledger | undefined): UpToDate | undefined => {
    const decision = judge(ledger)
    return decision.kind === 'up-to-date' ? decision : undefined
  }
  const early = doneBy(seen.ledger)
  if (early) return nothingToDo(early, folder, tell)
  if (isEmpty(seen.ledger)) tellFound(await findObjects(session, config.schema), tell)

  await session.execute(sessionSettings(serverMajor(session)))
  const terms: Terms = { ...config, lockKey: lockKey(config.schema), run: run.id }
  const doneByOther = async (): Promise<UpToDate | undefined> =>
    doneBy((await look(session, config.schema)).ledger)
  const turn = await takeTurn(session, terms.lockKey, doneByOther, config, tell, stop)
  if (turn !== 'taken') return nothingToDo(turn, folder, tell)

  const { ledger } = await look(session, config.schema)
  const found = isEmpty(ledger) ? await findObjects(session, config.schema) : nothingFound
  const decision = judge(ledger, found)
  if (decision.kind === 'refused') throw decision.failure
  if (decision.kind === 'up-to-date') return nothingToDo(decision, folder, tell)
  tellPlan(decision, tell)

  await ensureLedger(session, config.schema, ledger)
  await recorded(session, config.schema, run, folder, async (progress) => {
    if (decision.mustFlush) await flushLedger(session, config.schema)
    for (const work of worksOf(decision)) {
      stop.throwIfAborted()
      progress.begun = work.file
      const durationMs = await timed(
        () => apply(session, work, terms),
        work.file,
        config.heartbeatMs,
        tell,
      )
      progress.applied.push(work.file)
      tell({
        checkpoint: 'applied',
        file: work.file,
        durationMs,
        covers: work.how === 'baseline' ? work.earns.length : 0,
      })
    }
    const shown = judge((await look(session, config.schema)).ledger)
    if (shown.kind !== 'up-to-date')
      throw new Failure('VERIFY_FAILED', 'the ledger does not show what was applied')
  })
  tell({
    checkpoint: 'verified',
    head: folder.files.at(-1)?.file ?? '',
    files: folder.files.length,
  })
  return { kind: 'applied', applied: decision.pending.length, covered: decision.covered.length }
}

/** The transactions of a plan in order, each with the row that it follows. */
export function* worksOf(plan: Plan): Generator<Work> {
  let { head } = plan
  const { over } = plan
  if (plan.baseline !== undefined) {
    yield {
      file: 'baseline.sql',
      text: plan.baseline.text,
      earns: plan.covered,
      how: 'baseline',
      head,
      over,
    }
    head += plan.covered.length
  }
  for (const file of plan.pending) {
    yield { file: file.file, text: file.text, earns: [file], how: 'transaction', head, over }
    head += 1
  }
}

interface Progress {
  begun: string | undefined
  readonly applied: string[]
}

/** Leaves a row of the run in the ledger, and says after a failure what was applied before it. */
async function recorded(
  session: Session,
  schema: string,
  run: Run,
  folder: Folder,
  work: (progress: Progress) => Promise<void>,
): Promise<void> {
  await recordStart(session, schema, run, setChecksum(folder))
  const progress: Progress = { begun: undefined, applied: [] }
  try {
    await work(progress)
  } catch (error) {
    const failure = asFailure(error)
    const end = {
      state: 'failed',
      exitCode: failure.exit,
      reason: failure.code,
      fileBegun: progress.begun,
    } as const
    // After a loss nothing can be recorded, and the failure itself is what must be told.
    await recordEnd(session, schema, run, end).catch(() => undefined)
    throw withProgress(failure, progress.applied)
  }
  const end = {
    state: 'succeeded',
    exitCode: 0,
    reason: undefined,
    fileBegun: progress.begun,
  } as const
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

/** What this image would have: SHA-256 over names and checksums of its files. */
function setChecksum(folder: Folder): string {
  return hash('sha256', folder.files.map(({ file, checksum }) => `${checksum}  ${file}\n`).join(''))
}

/** Runs something that may take long, with a line at each heartbeat; returns how long it took. */
async function timed(
  action: () => Promise<void>,
  file: string,
  heartbeatMs: number,
  tell: Tell,
): Promise<number> {
  const begunMs = performance.now()
  const elapsedMs = (): number => performance.now() - begunMs
  const beat = setInterval(
    () => tell({ checkpoint: 'running', file, runningMs: elapsedMs() }),
    heartbeatMs,
  )
  try {
    await action()
    return elapsedMs()
  } finally {
    clearInterval(beat)
  }
}

function isEmpty(ledger: Ledger | undefined): boolean {
  return ledger === undefined || ledger.rows.length === 0
}

function nothingToDo(decision: UpToDate, folder: Folder, tell: Tell): Outcome {
  for (const text of decision.notes) tell({ checkpoint: 'note', text })
  return { kind: 'nothing-to-do', files: folder.files.length }
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
