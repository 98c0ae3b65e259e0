import { pause } from '../pause.ts'
import { sizeOf } from '../files/text.ts'
import { apply, giveUp, type Applied, type Landed } from './apply.ts'
import type { Terms, Work } from './envelope.ts'
import { exactly } from './exact-mode.ts'
import { Flusher } from './flusher.ts'
import { flushLedger } from './ledger.ts'
import type { Session } from './session.ts'
import { Suspicion } from './verdict.ts'

/**
 * How much is on the wire at once: messages, and characters of text in all but the first. Where a
 * pooler may give the next transaction to another session, one at a time.
 */
const window = { messages: 64, messagesIfShared: 1, characters: 2 ** 20 }

/**
 * Of so many, only the last waits at its COMMIT for the disk, and is told with those before it: the
 * write-ahead log is flushed in order. More at once would keep people waiting for lines.
 */
const flushEvery = 4

/** So long nobody waits for a line because the file behind it takes long. */
const heldMs = 200

/** A run that was told to stop has little time. */
const lastFlushMs = 1_000

/**
 * Applies works in their order and yields each when its COMMIT has been answered and no crash of the
 * server can undo it.
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
  const flights: Flight[] = []
  /** Committed, but not certain to survive a crash. */
  const held: Applied[] = []
  await using flusher = new Flusher(on, `lockstep/${terms.run}/flush`)
  const most = terms.pooler === 'allow' ? window.messagesIfShared : window.messages
  let inFlight = 0
  let sent = 0
  const send = (work: Work): void => {
    const isLast = sent === works.length - 1
    // A large one counts for more than the window: it goes alone.
    const characters = sizeOf(work.text)
    const isAlone = most === 1 || characters >= window.characters
    const isRelaxed = !isLast && !isAlone && (sent + 1) % flushEvery !== 0
    const landed = apply(on, work, terms, { isRelaxed })
    landed.catch(ignore)
    flights.push({ landed, characters, isRelaxed })
    inFlight += characters
    sent += 1
  }
  const fits = (work: Work): boolean =>
    flights.length === 0 ||
    (flights.length < most && inFlight + sizeOf(work.text) <= window.characters)
  let begunMs = 0
  const begin = (work: Work, isExact: boolean): void => {
    begins(work, isExact)
    begunMs = performance.now()
  }

  try {
    for (const [at, work] of works.entries()) {
      for (let next = works[sent]; next !== undefined && fits(next); next = works[sent]) send(next)
      const [flight] = flights
      if (flight === undefined) throw new Error('a work that was not sent')
      let { isRelaxed } = flight
      let landed: Landed
      begin(work, false)
      try {
        if (held.length > 0 && (await isSlow(flight, flusher))) yield* held.splice(0)
        landed = await flight.landed
        flights.shift()
        inFlight -= flight.characters
      } catch (error) {
        await Promise.allSettled(flights.map((each) => each.landed))
        if (held.length > 0 && (await isFlushed(on, terms, flusher))) yield* held.splice(0)
        if (!(error instanceof Suspicion)) throw error
        // What is run exactly takes long: nothing waits behind it.
        flights.length = 0
        inFlight = 0
        sent = at + 1
        isRelaxed = false
        await giveUp(on)
        const once = (suspicion: Suspicion | undefined): Promise<Landed> => {
          begin(work, true)
          return apply(on, work, terms, { suspicion })
        }
        landed = await exactly(once, () => giveUp(on), error)
      }
      held.push({ work, durationMs: performance.now() - begunMs, ...landed })
      if (!isRelaxed) yield* held.splice(0)
    }
  } finally {
    await Promise.allSettled(flights.map(({ landed }) => landed))
  }
}

interface Flight {
  readonly landed: Promise<Landed>
  readonly characters: number
  readonly isRelaxed: boolean
}

/** Whether a flight takes long, and what had been committed before has been made durable from outside. */
async function isSlow({ landed }: Flight, flusher: Flusher): Promise<boolean> {
  const stop = new AbortController()
  const flushed = pause(heldMs, stop.signal).then(() => flusher.flush(stop.signal), no)
  const isFirst = await Promise.race([flushed, landed.then(no, no)])
  stop.abort(new Error('it has landed'))
  return isFirst
}

/** Whether what is committed has been made durable: by the session, or where that is over from outside. */
async function isFlushed(on: Session, { schema }: Terms, flusher: Flusher): Promise<boolean> {
  try {
    await on.execute('rollback')
    await flushLedger(on, schema)
    return true
  } catch {
    return await flusher.flush(AbortSignal.timeout(lastFlushMs))
  }
}

function no(): boolean {
  return false
}

function ignore(): void {
  // Told to whoever awaits it; behind a failure nobody does.
}
