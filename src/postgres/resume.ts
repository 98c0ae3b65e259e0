import type { Tell } from '../events.ts'
import { Failure } from '../failure.ts'
import { loneKinds } from '../files/lone.ts'
import { labelOf, type Terms } from './envelope.ts'
import { identifier, literal } from './quote.ts'
import { see, type Left, type Seen } from './seeing.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { editedStep, forget, type BegunStep } from './steps.ts'
import { makeReady, tidy, type Turn } from './turn.ts'

/**
 * Looks what has become of a statement that was begun, and mends what it left.
 *
 * @returns whether it is done
 */
export async function resume(
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
