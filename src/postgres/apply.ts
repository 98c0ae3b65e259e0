import { Failure } from '../failure.ts'
import { pause } from '../pause.ts'
import { borrow } from './borrowed.ts'
import { readTold, reportOf, type Report } from './effects.ts'
import { envelope, labelOf, toldColumn, type Manner, type Terms, type Work } from './envelope.ts'
import { exactly } from './exact-mode.ts'
import { explain } from './explain.ts'
import { ledgerStates } from './ledger-states.ts'
import { sendInPieces, type Part } from './pieces.ts'
import { ServerError } from './server-error.ts'
import type { Session, Told } from './session.ts'
import { sendFigures, serverMajor } from './settings.ts'
import { unreadable, type Suspicion } from './verdict.ts'

export interface Applied {
  readonly work: Work
  /** Since the answer to the work before it. */
  readonly durationMs: number
  /** Warnings of the server, which may hold values and are only counted. */
  readonly warnings: number
  readonly report: Report
}

/**
 * Ends a transaction that has failed, and lets the server send the figures of what it has rolled
 * back: else they would be among those of the next.
 */
export async function giveUp(on: Session): Promise<void> {
  await on.execute('rollback')
  const send = sendFigures(serverMajor(on))
  if (send !== '') {
    await on.execute(send)
  } else {
    await pause(oldServersSendAfterMs)
    await on.execute('select 1')
  }
}

/** PostgreSQL 14 sends figures at the end of a message, if it has not within half a second. */
const oldServersSendAfterMs = 600

/** What has come of a transaction. */
export type Landed = Pick<Applied, 'warnings' | 'report'>

/**
 * Applies a single work with nothing else in flight; in exact mode where it seems to lose rows.
 *
 * @param passes - errors that the caller knows what to do with
 */
export async function applyOne(
  on: Session,
  work: Work,
  terms: Terms,
  begins: (work: Work, isExact: boolean) => void,
  passes: Passes = () => false,
): Promise<Landed> {
  const once = (suspicion: Suspicion | undefined): Promise<Landed> => {
    if (suspicion !== undefined) begins(work, true)
    return apply(on, work, terms, { suspicion, passes })
  }
  return await exactly(once, () => giveUp(on))
}

type Passes = (error: ServerError) => boolean

interface How extends Pick<Manner, 'isRelaxed'> {
  readonly suspicion?: Suspicion | undefined
  readonly passes?: Passes
}

/**
 * Runs a text and writes its ledger rows in one transaction, which is one message: any error drops
 * everything behind it, so COMMIT is reached only behind all the rest. In messages of their own, a
 * cancel that lands on BEGIN would let the text run in autocommit. A large text goes in pieces, none
 * of which runs outside of the transaction.
 */
export async function apply(
  on: Session,
  work: Work,
  terms: Terms,
  { suspicion, isRelaxed, passes = () => false }: How,
): Promise<Landed> {
  const { text, file } = work
  const borrowed = terms.pooler === 'allow' ? await borrow(on, work.modes) : undefined
  const around = envelope(work, terms, serverMajor(on), {
    borrowed,
    exact: suspicion?.exact,
    isRelaxed,
  })
  const explained = (error: unknown, before: string, part?: Part): unknown => {
    if (!(error instanceof ServerError)) return explain(error, work, terms, before, on, part)
    if (passes(error)) return error
    if (suspicion && error.sqlState === ledgerStates.unreadable) return unreadable(suspicion)
    return explain(error, work, terms, before, on, part)
  }
  const send = async (message: string): Promise<Told> => {
    try {
      return await on.execute(message, Infinity, toldColumn)
    } catch (error) {
      throw explained(error, around.prefix)
    }
  }
  const { tags, status, warnings, told } =
    typeof text === 'string'
      ? await send(around.prefix + text + around.suffix)
      : await sendInPieces(on, text, around, labelOf(work), explained)
  if (tags.at(-1) === 'COMMIT' && status === 'I')
    return { warnings, report: reportOf(readTold(told)) }
  throw new Failure(
    'LEDGER_DAMAGED',
    `${file} ended with ${tags.at(-1)} in state ${status}, not with COMMIT`,
  )
}
