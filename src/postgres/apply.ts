import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../failure.ts'
import { sizeOf } from '../files/text.ts'
import { borrow } from './borrowed.ts'
import { readReport, type Report } from './effects.ts'
import { envelope, labelOf, toldColumn, type Terms, type Work } from './envelope.ts'
import { explain } from './explain.ts'
import { ledgerStates } from './ledger-states.ts'
import { sendInPieces, type Part } from './pieces.ts'
import { ServerError } from './server-error.ts'
import type { Session, Told } from './session.ts'
import { serverMajor } from './settings.ts'
import { Suspicion, unreadable } from './verdict.ts'

export interface Applied {
  readonly work: Work
  /** Since the answer to the work before it. */
  readonly durationMs: number
  /** Warnings of the server, which may hold values and are only counted. */
  readonly warnings: number
  readonly report: Report
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
 * A file that seems to lose rows is rolled back and run once more in exact mode, which alone decides.
 *
 * @param begins - told which work the server has come to, and whether in exact mode
 * @throws {Failure} of the first that failed, when all behind it have been refused: SQL_FAILED with
 *   the place, GUARD_VIOLATED, TRANSACTION_ENDED, LOCK_TIMEOUT, LEDGER_MOVED, LEDGER_DAMAGED, COPY_REFUSED,
 *   CONNECTION_LOST
 */
export async function* applyAll(
  on: Session,
  works: readonly Work[],
  terms: Terms,
  begins: (work: Work, isExact: boolean) => void,
): AsyncGenerator<Applied> {
  const flights: { readonly landed: Promise<Landed>; readonly characters: number }[] = []
  const most = terms.pooler === 'allow' ? window.messagesIfShared : window.messages
  let inFlight = 0
  let sent = 0
  let suspicion: Suspicion | undefined
  const send = (work: Work): void => {
    const landed = apply(on, work, terms, suspicion)
    landed.catch(ignore)
    // A large one counts for more than the window: it goes alone.
    const characters = sizeOf(work.text)
    flights.push({ landed, characters })
    inFlight += characters
    sent += 1
  }
  const fits = (work: Work): boolean =>
    flights.length === 0 ||
    // What is run exactly takes long: nothing waits behind it.
    (suspicion === undefined &&
      flights.length < most &&
      inFlight + sizeOf(work.text) <= window.characters)

  try {
    for (let at = 0, tries = 0; at < works.length;) {
      for (let next = works[sent]; next !== undefined && fits(next); next = works[sent]) send(next)
      const [work] = works.slice(at, at + 1)
      const [flight] = flights
      if (work === undefined || flight === undefined) return
      begins(work, suspicion !== undefined)
      const begunMs = performance.now()
      try {
        const landed = await flight.landed
        flights.shift()
        inFlight -= flight.characters
        at += 1
        tries = 0
        suspicion = undefined
        yield { work, durationMs: performance.now() - begunMs, ...landed }
      } catch (error) {
        if (!(error instanceof Suspicion) || tries === mostExactTries) throw error
        await Promise.allSettled(flights.map(({ landed }) => landed))
        flights.length = 0
        inFlight = 0
        sent = at
        tries += 1
        suspicion = error.joined(suspicion)
        await giveUp(on)
      }
    }
  } finally {
    await Promise.allSettled(flights.map(({ landed }) => landed))
  }
}

/** A file that does something else each time may raise other suspicions; not for ever. */
const mostExactTries = 3

/**
 * Ends a transaction that has failed, and lets the server send the figures of what it has rolled
 * back: else they would be among those of the next.
 */
export async function giveUp(on: Session): Promise<void> {
  await on.execute('rollback')
  if (serverMajor(on) >= 15) {
    await on.execute('select pg_catalog.pg_stat_force_next_flush()')
  } else {
    await sleep(oldServersSendAfterMs)
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
  let suspicion: Suspicion | undefined
  for (let tries = 0; ; tries += 1) {
    try {
      return await apply(on, work, terms, suspicion, passes)
    } catch (error) {
      if (!(error instanceof Suspicion) || tries === mostExactTries) throw error
      suspicion = error.joined(suspicion)
      await giveUp(on)
      begins(work, true)
    }
  }
}

type Passes = (error: ServerError) => boolean

/**
 * Runs a text and writes its ledger rows in one transaction, which is one message: any error drops
 * everything behind it, so COMMIT is reached only behind all the rest. In messages of their own, a
 * cancel that lands on BEGIN would let the text run in autocommit. A large text goes in pieces, none
 * of which runs outside of the transaction.
 */
async function apply(
  on: Session,
  work: Work,
  terms: Terms,
  suspicion: Suspicion | undefined,
  passes: Passes = () => false,
): Promise<Landed> {
  const { text, file } = work
  const borrowed = terms.pooler === 'allow' ? await borrow(on, work.modes) : undefined
  const around = envelope(work, terms, serverMajor(on), borrowed, suspicion?.exact)
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
  if (tags.at(-1) === 'COMMIT' && status === 'I') return { warnings, report: readReport(told) }
  throw new Failure(
    'LEDGER_DAMAGED',
    `${file} ended with ${tags.at(-1)} in state ${status}, not with COMMIT`,
  )
}

function ignore(): void {
  // Told to whoever awaits it; behind a failure nobody does.
}
