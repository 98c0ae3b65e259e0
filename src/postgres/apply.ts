import { Failure } from '../failure.ts'
import { codePoints, placeBehind, placeOfByte, placeOfCodePoint } from '../files/bytes.ts'
import { sizeOf } from '../files/text.ts'
import { borrow } from './borrowed.ts'
import { envelope, labelOf, type Terms, type Work } from './envelope.ts'
import type { Answer } from './frames.ts'
import { ledgerStates } from './ledger-format.ts'
import { sendInPieces, type Part } from './pieces.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { serverMajor } from './settings.ts'

export interface Applied {
  readonly work: Work
  /** Since the answer to the work before it. */
  readonly durationMs: number
  /** Warnings of the server, which may hold values and are only counted. */
  readonly warnings: number
}

/**
 * How much is on the wire at once: messages, and characters of text in all but the first. Where a
 * pooler may give the next transaction to another session, one at a time.
 */
const window = { messages: 64, messagesIfShared: 1, characters: 2 ** 20 }

/**
 * Applies works in their order and yields each when its COMMIT has been answered.
 *
 * Several are on the wire at once, so that the server never waits for us. What fails stops all that
 * is behind it: after an error inside a transaction each next BEGIN is refused (25P02); where
 * nothing of the message ran (a syntax error, a cancel at BEGIN), the next one begins and is refused
 * by the chain of the ledger, since the row before its own is not there.
 *
 * @param begins - told which work the server has come to
 * @throws {Failure} of the first that failed, when all behind it have been refused: SQL_FAILED with
 *   the place, TRANSACTION_ENDED, LOCK_TIMEOUT, LEDGER_MOVED, LEDGER_DAMAGED, COPY_REFUSED,
 *   CONNECTION_LOST
 */
export async function* applyAll(
  on: Session,
  works: readonly Work[],
  terms: Terms,
  begins: (work: Work) => void,
): AsyncGenerator<Applied> {
  const flights: { readonly landed: Promise<number>; readonly characters: number }[] = []
  const most = terms.pooler === 'allow' ? window.messagesIfShared : window.messages
  let inFlight = 0
  let sent = 0
  const send = (work: Work): void => {
    const landed = apply(on, work, terms)
    landed.catch(ignore)
    // A large one counts for more than the window: it goes alone.
    const characters = sizeOf(work.text)
    flights.push({ landed, characters })
    inFlight += characters
    sent += 1
  }
  const fits = (work: Work): boolean =>
    flights.length === 0 ||
    (flights.length < most && inFlight + sizeOf(work.text) <= window.characters)

  try {
    for (const work of works) {
      for (let next = works[sent]; next !== undefined && fits(next); next = works[sent]) send(next)
      begins(work)
      const begunMs = performance.now()
      const flight = flights[0]
      const warnings = (await flight?.landed) ?? 0
      flights.shift()
      inFlight -= flight?.characters ?? 0
      yield { work, durationMs: performance.now() - begunMs, warnings }
    }
  } finally {
    await Promise.allSettled(flights.map(({ landed }) => landed))
  }
}

/**
 * Runs a text and writes its ledger rows in one transaction, which is one message: any error drops
 * everything behind it, so COMMIT is reached only behind all the rest. In messages of their own, a
 * cancel that lands on BEGIN would let the text run in autocommit. A large text goes in pieces, none
 * of which runs outside of the transaction.
 *
 * @param passes - errors that the caller knows what to do with
 */
export async function apply(
  on: Session,
  work: Work,
  terms: Terms,
  passes: (error: ServerError) => boolean = () => false,
): Promise<number> {
  const { text, file } = work
  const borrowed = terms.pooler === 'allow' ? await borrow(on, work.modes) : undefined
  const around = envelope(work, terms, serverMajor(on), borrowed)
  const explained = (error: unknown, before: string, part?: Part): unknown =>
    error instanceof ServerError && passes(error)
      ? error
      : explain(error, work, terms, before, on, part)
  const send = async (message: string): Promise<Answer> => {
    try {
      return await on.execute(message, Infinity)
    } catch (error) {
      throw explained(error, around.prefix)
    }
  }
  const { tags, status, warnings } =
    typeof text === 'string'
      ? await send(around.prefix + text + around.suffix)
      : await sendInPieces(on, text, around, labelOf(work), explained)
  if (tags.at(-1) === 'COMMIT' && status === 'I') return warnings
  throw new Failure(
    'LEDGER_DAMAGED',
    `${file} ended with ${tags.at(-1)} in state ${status}, not with COMMIT`,
  )
}

/**
 * What failed, told by its place in the file.
 *
 * @param prefix - what was sent before the text
 * @param part - the text that was sent, where it is not that of the work
 */
export function explain(
  error: unknown,
  work: Work,
  terms: Terms,
  prefix: string,
  on: Session,
  part: Part = wholeOf(work),
): unknown {
  if (error instanceof Failure && error.code === 'COPY_REFUSED') {
    return new Failure('COPY_REFUSED', `${work.file}: ${error.message}`)
  }
  if (!(error instanceof ServerError)) return error
  const { said } = error
  switch (error.sqlState) {
    case ledgerStates.lockTaken:
    case ledgerStates.alreadyApplied:
    case ledgerStates.stepMoved:
      return new Failure('LEDGER_MOVED', `${work.file}: ${said}`)
    case ledgerStates.rowGone:
    case ledgerStates.notFinished:
    case '25P01': // no transaction where only one can have been ended
      return new Failure(
        'TRANSACTION_ENDED',
        `${work.file} ended its transaction, or changed the ledger`,
        ['a part of the file may be kept: look before running again'],
      )
    case ledgerStates.transactionEnded:
      return new Failure('TRANSACTION_ENDED', `${work.file} ends its own transaction`, [
        kept(work),
        ...new Failure('TRANSACTION_ENDED', '').more,
      ])
    case '55P03':
    case '40P01':
    case '40001':
      return new Failure('LOCK_TIMEOUT', `${work.file}: ${said}`, [
        kept(work),
        ...new Failure('LOCK_TIMEOUT', '').more,
      ])
    case '23502':
    case '23505':
      // The chain: the row before is not there, or somebody has written behind it.
      if (error.table === `${terms.schema}.ledger` || error.table === `${terms.schema}.step`)
        return new Failure('LEDGER_MOVED', `${work.file}: ${said}`)
  }
  const where = whereAndWhat(error, part, prefix, work.step !== undefined, on)
  return new Failure('SQL_FAILED', `${work.file}${where}`, [
    kept(work),
    ...new Failure('SQL_FAILED', '').more,
  ])
}

function wholeOf({ text, step }: Work): Part {
  return { text: typeof text === 'string' ? text : '', begins: placeBehind(step?.lead ?? '') }
}

/** What of the file stays in the database. */
function kept({ step }: Work): string {
  const done = (step?.ordinal ?? 1) - 1
  if (step === undefined || done === 0) return 'nothing of this file is kept'
  const which = done === 1 ? 'statement 1' : `statements 1 to ${done}`
  return `${which} of ${step.of} of this file ${done === 1 ? 'is' : 'are'} done and kept: the next run goes on behind`
}

/** PostgreSQL counts code points from the start of the message, but bytes where it knows no encoding. */
function whereAndWhat(
  { position, said, sqlState }: ServerError,
  { text, begins }: Part,
  prefix: string,
  isStep: boolean,
  on: Session,
): string {
  // Of some errors PostgreSQL tells no place; of a single statement it is known all the same.
  if (position === undefined)
    return isStep ? `:${begins.line}:${begins.column} ${said}` : ` ${said}`
  const inBytes = on.frames.parameters.get('server_encoding') === 'SQL_ASCII'
  const length = inBytes ? (part: string) => Buffer.byteLength(part) : codePoints
  const at = position - 1 - length(prefix)
  const from = Math.max(at, 0)
  const found = inBytes ? placeOfByte(Buffer.from(text), from) : placeOfCodePoint(text, from)
  const line = begins.line + found.line - 1
  const column = found.line === 1 ? begins.column + found.column - 1 : found.column
  // The error is in what stands behind the text: something in the text reaches that far.
  const isBehind = at >= length(text)
  const what = isBehind
    ? `the file ends inside an open quote, parenthesis or statement (${sqlState})`
    : said
  return `:${line}:${column} ${what}`
}

function ignore(): void {
  // Told to whoever awaits it; behind a failure nobody does.
}
