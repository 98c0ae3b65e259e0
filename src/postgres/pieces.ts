import { nextTurn } from '../pause.ts'
import { Failure } from '../failure.ts'
import type { LargeText, Piece } from '../files/large.ts'
import { toldColumn, type Envelope } from './envelope.ts'
import type { Session, Told } from './session.ts'

/** The part of a file that is in a message, and where it begins. */
export type Part = Pick<Piece, 'text' | 'begins'>

/** So much text is on the wire at once, or one longer piece. */
const mostInFlight = 2 ** 20

/** PostgreSQL refuses it outside of a transaction block: a piece never runs in autocommit. */
const within = 'SAVEPOINT lockstep;RELEASE SAVEPOINT lockstep;'
/**
 * The server reads the next piece with the settings that this one leaves. For what a ROLLBACK in the
 * piece would let run in a transaction of the message, `within` stands behind it as well.
 */
const behind = `\n;${within}SET LOCAL client_encoding=UTF8;SET LOCAL standard_conforming_strings=on`

/**
 * Sends a large text, a piece a message. What ends its transaction goes out behind the last, when all
 * others have been answered and the file has turned out to be still what it was. After an error the
 * server refuses the pieces that are behind it: the transaction has failed, or where nothing of the
 * first ran there is none.
 *
 * @param label - stands in front of each message but the first, which has it in its prefix
 * @param explain - what a refused message means for the file
 * @throws {Failure} FILE_CHANGED_MEANWHILE, when all is rolled back; whatever `explain` makes of an error
 */
export async function sendInPieces(
  on: Session,
  text: LargeText,
  { prefix, suffix }: Envelope,
  label: string,
  explain: (error: unknown, before: string, part: Part) => unknown,
): Promise<Told> {
  const flights: Flight[] = []
  const pieces = text.pieces()
  let warnings = 0
  const land = async (): Promise<Told | undefined> => {
    const [flight] = flights
    if (flight === undefined) return undefined
    try {
      const answer = await flight.landed
      warnings += answer.warnings
      return answer
    } catch (error) {
      throw explain(error, flight.before, flight.part)
    } finally {
      flights.shift()
    }
  }
  try {
    // Not for...of, which would end the reading with the first error.
    for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
      const { isFirst, isLast, ...part } = next.value
      // The window; and COMMIT only when all that is before it has been done as it should.
      while (isLast ? flights.length > 0 : lengthOf(flights) >= mostInFlight) await land()
      const before = isFirst ? prefix : `${label}${within}`
      const landed = on.execute(
        before + part.text + (isLast ? suffix : behind),
        Infinity,
        toldColumn,
      )
      landed.catch(ignore)
      flights.push({ landed, before, part })
    }
    const last = await land()
    if (last === undefined) throw new Error('a text without a last piece')
    return { ...last, warnings }
  } catch (error) {
    await Promise.allSettled(flights.map(({ landed }) => landed))
    const failure = await whetherChanged(error, pieces)
    // Not an error of the server, so the transaction is still open.
    if (isChange(failure)) await on.execute('rollback').catch(ignore)
    throw failure
  } finally {
    pieces.return(undefined)
  }
}

/** Of a file that is being written PostgreSQL may refuse what was never meant to be a statement. */
async function whetherChanged(error: unknown, left: Generator<Piece>): Promise<unknown> {
  if (!(error instanceof Failure && ofText.has(error.code))) return error
  try {
    for (let next = left.next(); next.done !== true; next = left.next()) await nextTurn()
  } catch (change) {
    if (isChange(change)) return change
  }
  return error
}

const ofText = new Set(['SQL_FAILED', 'TRANSACTION_ENDED', 'COPY_REFUSED'])

interface Flight {
  readonly landed: Promise<Told>
  /** What stands before the text in the message. */
  readonly before: string
  readonly part: Part
}

function lengthOf(flights: readonly Flight[]): number {
  return flights.reduce((length, { part }) => length + part.text.length, 0)
}

function isChange(error: unknown): boolean {
  return error instanceof Failure && error.code === 'FILE_CHANGED_MEANWHILE'
}

function ignore(): void {
  // Told to whoever awaits it; behind a failure nobody does.
}
