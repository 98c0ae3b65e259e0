import { Failure } from '../failure.ts'
import type { Tell } from '../events.ts'
import { isSetting, loneKinds, loneOf, type Lone } from '../files/lone.ts'
import type { Entry } from '../files/entry.ts'
import { keptText } from '../files/text.ts'
import { splitStatements } from '../files/statements.ts'
import { apply, explain } from './apply.ts'
import { labelOf, resetOwned, type Step, type Terms, type Work } from './envelope.ts'
import { beforeOf } from './before.ts'
import { identifier, literal } from './quote.ts'
import { stepDone } from '../recorded.ts'
import { see, type Left, type Seen } from './seeing.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { serverMajor } from './settings.ts'
import {
  complete,
  editedStep,
  forget,
  intend,
  leftBy,
  progressOf,
  readSteps,
  type BegunStep,
} from './steps.ts'

/** Refused in a transaction: the statement itself, or a COMMIT within what it calls. */
const refusedThere = new Set(['25001', '2D000'])

/** A statement of the file, with all that it needs. */
interface Turn {
  readonly work: Work & { readonly step: Step }
  readonly lone: Lone | undefined
}

/**
 * Applies a file statement by statement. What PostgreSQL allows in a transaction runs in one of its
 * own, together with its row in the ledger; what it refuses there runs bare: alone in a message, with
 * nothing else in flight, behind a row that says what was there before. So a run that dies goes on at
 * the right statement, and none is done twice. The row of the file comes with the end of the last.
 *
 * @returns how many warnings the server sent
 * @throws {Failure} as `applyAll`, and FILE_CHANGED, INDEX_IN_THE_WAY, STEP_UNCERTAIN
 */
export async function applyStepwise(
  on: Session,
  whole: Work,
  terms: Terms,
  tell: Tell,
): Promise<number> {
  const [file] = whole.earns
  if (file === undefined) throw new Error('a file without itself')
  const turns = turnsOf(whole, file)
  const steps = await readSteps(on, terms.schema, file.file)
  const progress = progressOf(file.file, steps, file.meaning.statements)
  let { done } = progress
  if (steps.length > 0) {
    const text = `${file.file} is half done: it goes on at statement ${done + 1} of ${turns.length}`
    tell({ checkpoint: 'note', text })
  }
  if (progress.begun !== undefined) {
    const turn = turns[done]
    if (await resume(on, progress.begun, turn, terms, tell)) {
      await record(on, turn, terms)
      done += 1
    }
  }
  let warnings = 0
  for (const turn of turns.slice(done)) warnings += await run(on, turn, terms, tell)
  // Comments only, or a file whose last statements were taken out when all others were done.
  const isOpen = done === turns.length && progress.begun?.ordinal !== turns.length
  if (isOpen) await close(on, whole, turns.length, terms)
  return warnings
}

function turnsOf(whole: Work, file: Entry): Turn[] {
  const text = keptText(whole.text)
  const { statements } = splitStatements(text)
  let settings = ''
  return statements.map((statement, index) => {
    const { start, end } = statement
    const own = text.slice(start, end)
    const step = {
      ordinal: index + 1,
      of: statements.length,
      meaning: file.meaning.statements[index] ?? '',
      settings,
      lead: text.slice(0, start),
    }
    if (isSetting(text, statement)) settings += `${own}\n;`
    const isLast = index === statements.length - 1
    const work = { ...whole, text: own, earns: isLast ? [file] : [], step }
    return { work, lone: loneOf(text, statement) }
  })
}

/** Runs one statement, as PostgreSQL lets it. */
async function run(on: Session, turn: Turn, terms: Terms, tell: Tell): Promise<number> {
  const { work, lone } = turn
  const begunMs = performance.now()
  const tellDone = (how: 'transaction' | 'alone'): void =>
    tell({ ...aboutStep(turn), how, durationMs: performance.now() - begunMs })
  if (lone?.certainty !== 'always') {
    const isRefused = ({ sqlState }: ServerError): boolean =>
      lone !== undefined && refusedThere.has(sqlState)
    try {
      const warnings = await apply(on, work, terms, isRefused)
      tellDone('transaction')
      return warnings
    } catch (error) {
      if (!(error instanceof ServerError && isRefused(error))) throw error
      await on.execute('rollback')
      if (error.sqlState === '2D000' && !terms.mayCommitItself) throw commitsItself(turn)
    }
  }
  const warnings = await runBare(on, turn, terms)
  tellDone('alone')
  return warnings
}

function commitsItself({ work: { file, step }, lone }: Turn): Failure {
  const what = `statement ${step.ordinal} of ${file} (${lone && loneKinds[lone.kind]})`
  return new Failure('TRANSACTION_ENDED', `${what} commits by itself, which is behind no guard`, [
    'nothing of this statement is kept',
    'let it leave COMMIT and ROLLBACK out: it runs in a transaction already',
  ])
}

async function runBare(on: Session, turn: Turn, terms: Terms): Promise<number> {
  const { work, lone } = turn
  if (lone === undefined) throw new Error('nothing that runs bare')
  const { file, step } = work
  await makeReady(on, work, terms)
  const before = await beforeOf(on, lone, { statement: keptText(work.text), schema: terms.schema })
  await tidy(on, terms)
  await intend(on, file, step, before, terms)
  await makeReady(on, work, terms)
  const warnings = await alone(on, work, terms, keptText(work.text))
  await tidy(on, terms)
  const { left } = await see(on, before)
  if (left.length > 0) throw new Failure('INDEX_IN_THE_WAY', left[0]?.what ?? '')
  await record(on, turn, terms)
  return warnings
}

/** Sends a statement alone, and tells what it leaves where it fails. */
async function alone(on: Session, work: Work, terms: Terms, statement: string): Promise<number> {
  const prefix = labelOf(work)
  try {
    const { warnings, status } = await on.execute(prefix + statement, Infinity)
    if (status === 'I') return warnings
    throw new Failure('TRANSACTION_ENDED', `${work.file} leaves a transaction open`)
  } catch (error) {
    const told = explain(error, work, terms, prefix, on)
    if (!(error instanceof ServerError) || !(told instanceof Failure)) throw told
    await tidy(on, terms)
    const steps = await readSteps(on, terms.schema, work.file)
    const begun = steps.find(({ state }) => state !== stepDone)
    const left = begun === undefined ? [] : await leftBy(on, begun)
    throw new Failure(told.code, told.message, [...left, ...told.more])
  }
}

/**
 * Looks what has become of a statement that was begun, and mends what it left.
 *
 * @returns whether it is done
 */
async function resume(
  on: Session,
  begun: BegunStep,
  turn: Turn | undefined,
  terms: Terms,
  tell: Tell,
): Promise<boolean> {
  const { file, ordinal, before } = begun
  const look = async (): Promise<Seen> => {
    await tidy(on, terms)
    const seen = before === null ? nothingKnown : await see(on, before)
    if (seen.verdict === 'unknown') throw uncertain(begun, terms)
    return seen
  }
  let seen = await look()
  for (const each of seen.left) await mend(on, each, { file, turn, terms, tell })
  // Mended it may be done.
  if (seen.left.length > 0) seen = await look()
  if (seen.verdict === 'not done') {
    await forget(on, file, begun, terms)
    return false
  }
  if (turn?.work.step.meaning !== begun.meaning) throw editedStep(file, ordinal)
  const text = `statement ${ordinal} of ${file} is done: only its end was not written down`
  tell({ checkpoint: 'note', text })
  return true
}

/** Not of ours: somebody else has written the row. */
const nothingKnown: Seen = { verdict: 'unknown', left: [] }

interface About {
  readonly file: string
  readonly turn: Turn | undefined
  readonly terms: Terms
  readonly tell: Tell
}

async function mend(on: Session, left: Left, { file, turn, terms, tell }: About): Promise<void> {
  const { what, statement, builderPid } = left
  if (builderPid !== undefined) {
    const reason = `${file}: pid ${builderPid} builds an index of the same table now`
    throw new Failure('LOCK_TIMEOUT', reason)
  }
  tell({ checkpoint: 'warning', text: `${what}: this run ${left.mend}` })
  if (turn !== undefined) await makeReady(on, turn.work, terms)
  try {
    await on.execute(labelOf({ file }) + statement, Infinity)
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    const text = `it cannot be mended: ${error.said}; who may runs: ${statement};`
    if (left.isOptional && error.sqlState === '42501') return tell({ checkpoint: 'warning', text })
    const code = /^(55P03|40...)$/.test(error.sqlState) ? 'LOCK_TIMEOUT' : 'SQL_FAILED'
    throw new Failure(code, `${file}: ${what}`, [text, 'then run again'])
  }
}

function uncertain({ file, ordinal, before }: BegunStep, { schema }: Terms): Failure {
  const where = `where file = ${literal(file)} and ordinal = ${ordinal};`
  return new Failure(
    'STEP_UNCERTAIN',
    `statement ${ordinal} of ${file} (${before && loneKinds[before.kind]}) was begun, and nobody can tell whether it was done`,
    [
      'look what it has done; where all of it is there:',
      `update ${identifier(schema)}.step set state = 'done' ${where}`,
      'where it is to run again, from its beginning:',
      `delete from ${identifier(schema)}.step ${where}`,
    ],
  )
}

/** The session as the statement wants it. Bare statements may wait for a lock as long as they must. */
async function makeReady(on: Session, work: Turn['work'], terms: Terms): Promise<void> {
  const { file, step, lockTimeoutMs = 0, statementTimeoutMs = terms.statementTimeoutMs } = work
  const [row] = await on.query<{ taken: boolean }>(
    `select pg_catalog.pg_try_advisory_lock(${terms.lockKey}) as taken`,
  )
  // A statement before it may have given the lock away.
  if (row?.taken !== true)
    throw new Failure('LEDGER_MOVED', `${file}: another session has taken the lock`)
  const ours = [
    `lock_timeout=${lockTimeoutMs}`,
    `statement_timeout=${statementTimeoutMs}`,
    // Whoever starts it anew loses what is done: the server goes on when its client is gone.
    'client_connection_check_interval=0',
  ]
  await tidy(on, terms)
  await on.execute(`${ours.map((setting) => `SET ${setting};`).join('')}${step.settings}`)
}

async function tidy(on: Session, terms: Terms): Promise<void> {
  await on.execute(resetOwned(terms, serverMajor(on)))
}

/** Writes down that a bare statement is done; of the last one, with the row of the file. */
async function record(on: Session, turn: Turn | undefined, terms: Terms): Promise<void> {
  if (turn === undefined) throw new Error('a step without a statement')
  const { work } = turn
  const { ordinal, of } = work.step
  if (ordinal < of) await complete(on, work.file, work.step, terms)
  else await close(on, work, of, terms)
}

/** The row of the file, in exchange for those of its steps. */
async function close(on: Session, work: Work, steps: number, terms: Terms): Promise<void> {
  const step = { ordinal: steps + 1, of: steps, meaning: '', settings: '', lead: '' }
  await apply(on, { ...work, text: '', step }, terms)
}

function aboutStep({ work, lone }: Turn) {
  const { ordinal, of } = work.step
  return {
    checkpoint: 'step',
    file: work.file,
    ordinal,
    of,
    kind: lone && loneKinds[lone.kind],
  } as const
}
