import { Failure } from '../failure.ts'
import { count } from '../phrases.ts'
import { loneKinds } from '../files/lone.ts'
import { stepDone, type Step as StepOfFile } from '../recorded.ts'
import type { Before } from './before.ts'
import { stepCall, type Step, type Terms } from './envelope.ts'
import { fence } from './ledger-format.ts'
import { identifier, literal } from './quote.ts'
import { see } from './seeing.ts'
import type { Session } from './session.ts'

/** A row of the table `step` with what was there before its statement. */
export interface BegunStep extends StepOfFile {
  readonly before: Before | null
}

/** Steps of a file, in order: those that are done, and at most one that was begun. */
export async function readSteps(
  on: Session,
  schema: string,
  file: string,
): Promise<readonly BegunStep[]> {
  return await on.query<BegunStep>(`
    select file, ordinal, meaning, state, before from ${identifier(schema)}.step
    where file = ${literal(file)} order by ordinal`)
}

/** What is done of a file, and the statement of which nobody has written down the end. */
export interface Progress {
  readonly done: number
  readonly begun: BegunStep | undefined
}

/**
 * @param statements - meanings of the file as it is now
 * @throws {Failure} FILE_CHANGED: a statement that is done was edited
 */
export function progressOf(
  file: string,
  steps: readonly BegunStep[],
  statements: readonly string[],
): Progress {
  const done = steps.filter(({ state }) => state === stepDone)
  for (const { ordinal, meaning } of done) {
    if (statements[ordinal - 1] === meaning) continue
    throw editedStep(file, ordinal)
  }
  return { done: done.length, begun: steps.find(({ state }) => state !== stepDone) }
}

export function editedStep(file: string, ordinal: number): Failure {
  return new Failure(
    'FILE_CHANGED',
    `${file} was edited while half done: statement ${ordinal} differs, and is done already`,
    ['restore the statements that are done, and edit only those to come'],
  )
}

/** Writes down that a statement is about to run that no transaction can hold. */
export async function intend(
  on: Session,
  file: string,
  step: Step,
  before: Before,
  terms: Terms,
): Promise<void> {
  await on.execute(
    `begin;select ${stepCall(terms, file, step, 'begun', JSON.stringify(before))};commit`,
  )
}

/** Writes down that it was done. */
export async function complete(
  on: Session,
  file: string,
  { ordinal }: Pick<Step, 'ordinal'>,
  terms: Terms,
): Promise<void> {
  await change(on, terms, file, ordinal, 'update', `set state = 'done', before = null`)
}

/** Nothing has come of it. */
export async function forget(
  on: Session,
  file: string,
  { ordinal }: Pick<Step, 'ordinal'>,
  terms: Terms,
): Promise<void> {
  await change(on, terms, file, ordinal, 'delete from', '')
}

async function change(
  on: Session,
  { schema, lockKey }: Terms,
  file: string,
  ordinal: number,
  how: 'update' | 'delete from',
  what: string,
): Promise<void> {
  const where = `where file = ${literal(file)} and ordinal = ${ordinal} and state = 'begun'`
  const { tags } = await on.execute(
    `begin;${fence(lockKey)};${how} ${identifier(schema)}.step ${what} ${where};commit`,
  )
  if (!tags.some((tag) => /^(UPDATE|DELETE) 1$/.test(tag)))
    throw new Failure('LEDGER_MOVED', `step ${ordinal} of ${file} is not as it was written`)
}

/** What was done of a file before a run was broken off, and what that has left: for people. */
export async function leftBehind(on: Session, schema: string, file: string): Promise<string[]> {
  const steps = await readSteps(on, schema, file)
  const done = steps.filter(({ state }) => state === stepDone).length
  const begun = steps.find(({ state }) => state !== stepDone)
  return [
    ...(done === 0 ? [] : [`${file}: ${count(done, 'statement')} done and kept`]),
    ...(begun === undefined ? [] : await leftBy(on, begun)),
  ]
}

/** What a statement has left that was begun and not written down as done: for people. */
export async function leftBy(on: Session, { file, ordinal, before }: BegunStep): Promise<string[]> {
  if (before === null) return []
  const { verdict, left } = await see(on, before)
  const which = `statement ${ordinal} of ${file} (${loneKinds[before.kind]})`
  if (verdict === 'done') return [`${which} is done all the same`]
  if (verdict === 'unknown') return [`${which} may be done in part: nobody can tell`]
  return left.map(({ what, mend, builderPid }) =>
    builderPid === undefined
      ? `${what}: the next run ${mend}`
      : `${which} goes on in the server, by pid ${builderPid}`,
  )
}
