import { Failure } from '../failure.ts'
import type { Tell } from '../events.ts'
import { isSetting, loneKinds, loneOf } from '../files/lone.ts'
import type { Entry } from '../files/entry.ts'
import { keptText } from '../files/text.ts'
import { splitStatements } from '../files/statements.ts'
import { stepDone } from '../recorded.ts'
import { applyOne, type Landed } from './apply.ts'
import { beforeOf } from './before.ts'
import { readTold, reportOf } from './effects.ts'
import { labelOf, type Terms, type Work } from './envelope.ts'
import { explain } from './explain.ts'
import { refuseLoss, treesOf, withoutDetached } from './guarded-trees.ts'
import { resume } from './resume.ts'
import { see } from './seeing.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { complete, intend, leftBy, progressOf, readSteps } from './steps.ts'
import { makeReady, tidy, type Turn } from './turn.ts'

/** Refused in a transaction: the statement itself, or a COMMIT within what it calls. */
const refusedThere = new Set(['25001', '2D000'])

/**
 * Applies a file statement by statement. What PostgreSQL allows in a transaction runs in one of its
 * own, together with its row in the ledger; what it refuses there runs bare: alone in a message, with
 * nothing else in flight, behind a row that says what was there before. So a run that dies goes on at
 * the right statement, and none is done twice. The row of the file comes with the end of the last.
 *
 * @param begins - told when a statement is run once more in exact mode
 * @returns how many warnings the server sent, and what all statements did that were in transactions
 * @throws {Failure} as `applyAll`, and FILE_CHANGED, INDEX_IN_THE_WAY, STEP_UNCERTAIN
 */
export async function applyStepwise(
  on: Session,
  whole: Work,
  terms: Terms,
  begins: Begins,
  tell: Tell,
): Promise<Landed> {
  const [file] = whole.earns
  if (file === undefined) throw new Error('a file without itself')
  const turns = turnsOf(whole, file)
  const steps = await readSteps(on, terms.schema, file.file)
  const progress = progressOf(file.file, steps, file.meaning.statements)
  let { done } = progress
  let landed = nothing
  if (steps.length > 0) {
    const text = `${file.file} is half done: it goes on at statement ${done + 1} of ${turns.length}`
    tell({ checkpoint: 'note', text })
  }
  if (progress.begun !== undefined) {
    const turn = turns[done]
    if (await resume(on, progress.begun, turn, terms, tell)) {
      landed = await record(on, turn, terms)
      done += 1
    }
  }
  let warnings = 0
  for (const turn of turns.slice(done)) {
    landed = await run(on, turn, terms, begins, tell)
    warnings += landed.warnings
  }
  // Comments only, or a file whose last statements were taken out when all others were done.
  const isOpen = done === turns.length && progress.begun?.ordinal !== turns.length
  if (isOpen) landed = await close(on, whole, turns.length, terms)
  return { ...landed, warnings }
}

/** Before a transaction has told anything. */
const nothing: Landed = { warnings: 0, report: reportOf(readTold(undefined)) }

type Begins = (work: Work, isExact: boolean) => void

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
async function run(
  on: Session,
  turn: Turn,
  terms: Terms,
  begins: Begins,
  tell: Tell,
): Promise<Landed> {
  const { work, lone } = turn
  const begunMs = performance.now()
  const tellDone = (how: 'transaction' | 'alone'): void =>
    tell({ ...aboutStep(turn), how, durationMs: performance.now() - begunMs })
  if (lone?.certainty !== 'always') {
    const isRefused = ({ sqlState }: ServerError): boolean =>
      lone !== undefined && refusedThere.has(sqlState)
    try {
      const landed = await applyOne(on, work, terms, begins, isRefused)
      tellDone('transaction')
      return landed
    } catch (error) {
      if (!(error instanceof ServerError && isRefused(error))) throw error
      await on.execute('rollback')
      if (error.sqlState === '2D000' && terms.guardTables.length > 0) throw commitsItself(turn)
    }
  }
  const landed = await runBare(on, turn, terms)
  tellDone('alone')
  return landed
}

function commitsItself({ work: { file, step }, lone }: Turn): Failure {
  const what = `statement ${step.ordinal} of ${file} (${lone && loneKinds[lone.kind]})`
  return new Failure('TRANSACTION_ENDED', `${what} commits by itself, which is behind no guard`, [
    'nothing of this statement is kept',
    'let it leave COMMIT and ROLLBACK out: it runs in a transaction already',
  ])
}

async function runBare(on: Session, turn: Turn, terms: Terms): Promise<Landed> {
  const { work, lone } = turn
  if (lone === undefined) throw new Error('nothing that runs bare')
  const { file, step } = work
  await makeReady(on, work, terms)
  const before = await beforeOf(on, lone, { statement: keptText(work.text), schema: terms.schema })
  await tidy(on, terms)
  const trees = await treesOf(on, terms, work.allowances)
  refuseLoss(trees, withoutDetached(trees, before), work, terms, false)
  await intend(on, file, step, before, terms)
  await makeReady(on, work, terms)
  const warnings = await alone(on, work, terms, keptText(work.text))
  await tidy(on, terms)
  const { left } = await see(on, before)
  if (left.length > 0) throw new Failure('INDEX_IN_THE_WAY', left[0]?.what ?? '')
  const landed = await record(on, turn, terms)
  // Done it is, and nobody can undo it: the next run goes on behind, when somebody has looked.
  refuseLoss(trees, await treesOf(on, terms, work.allowances), work, terms, true)
  return { ...landed, warnings }
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

/** Writes down that a bare statement is done; of the last one, with the row of the file. */
async function record(on: Session, turn: Turn | undefined, terms: Terms): Promise<Landed> {
  if (turn === undefined) throw new Error('a step without a statement')
  const { work } = turn
  const { ordinal, of } = work.step
  if (ordinal === of) return await close(on, work, of, terms)
  await complete(on, work.file, work.step, terms)
  return nothing
}

/** The row of the file, in exchange for those of its steps. */
async function close(on: Session, work: Work, steps: number, terms: Terms): Promise<Landed> {
  const step = { ordinal: steps + 1, of: steps, meaning: '', settings: '', lead: '' }
  return await applyOne(on, { ...work, text: '', step }, terms, () => undefined)
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
