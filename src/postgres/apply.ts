import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../errors.ts'
import { codePoints, placeOfByte, placeOfCodePoint } from '../files/bytes.ts'
import { borrow } from './borrowed.ts'
import { readReport, type Report } from './effects.ts'
import { envelope, toldColumn, type Terms, type Work } from './envelope.ts'
import { guardStates } from './guard-states.ts'
import { ledgerStates } from './ledger-format.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { serverMajor } from './settings.ts'
import { readVerdict, Suspicion, unreadable } from './verdict.ts'

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
    flights.push({ landed, characters: work.text.length })
    inFlight += work.text.length
    sent += 1
  }
  const fits = (work: Work): boolean =>
    flights.length === 0 ||
    // What is run exactly takes long: nothing waits behind it.
    (suspicion === undefined &&
      flights.length < most &&
      inFlight + work.text.length <= window.characters)

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

type Landed = Pick<Applied, 'warnings' | 'report'>

/**
 * Runs a text and writes its ledger rows in one transaction, which is one message: any error drops
 * everything behind it, so COMMIT is reached only behind all the rest. In messages of their own, a
 * cancel that lands on BEGIN would let the text run in autocommit.
 */
async function apply(
  on: Session,
  work: Work,
  terms: Terms,
  suspicion: Suspicion | undefined,
): Promise<Landed> {
  const borrowed = terms.pooler === 'allow' ? await borrow(on) : undefined
  const { prefix, suffix } = envelope(work, terms, serverMajor(on), borrowed, suspicion?.exact)
  try {
    const message = prefix + work.text + suffix
    const { tags, status, warnings, told } = await on.execute(message, Infinity, toldColumn)
    if (tags.at(-1) === 'COMMIT' && status === 'I') return { warnings, report: readReport(told) }
    throw new Failure(
      'LEDGER_DAMAGED',
      `${work.file} ended with ${tags.at(-1)} in state ${status}, not with COMMIT`,
    )
  } catch (error) {
    if (suspicion && error instanceof ServerError && error.sqlState === guardStates.unreadable)
      throw unreadable(suspicion)
    throw explain(error, work, terms, prefix, on)
  }
}

function explain(error: unknown, work: Work, terms: Terms, prefix: string, on: Session): unknown {
  if (error instanceof Failure && error.code === 'COPY_REFUSED') {
    return new Failure('COPY_REFUSED', `${work.file}: ${error.message}`)
  }
  if (!(error instanceof ServerError)) return error
  const { said } = error
  switch (error.sqlState) {
    case ledgerStates.lockTaken:
    case ledgerStates.alreadyApplied:
      return new Failure('LEDGER_MOVED', `${work.file}: ${said}`)
    case guardStates.suspected:
    case guardStates.violated:
      return readVerdict(work.file, error.verdict, terms.guardTables)
    case guardStates.changed:
    case ledgerStates.rowGone:
    case ledgerStates.notFinished:
      return new Failure(
        'TRANSACTION_ENDED',
        `${work.file} ended its transaction, or changed the ledger`,
        ['a part of the file may be kept: look before running again'],
      )
    case ledgerStates.transactionEnded:
      return new Failure('TRANSACTION_ENDED', `${work.file} ends its own transaction`, [
        'nothing of this file is kept',
        ...new Failure('TRANSACTION_ENDED', '').more,
      ])
    case '55P03':
    case '40P01':
    case '40001':
      return new Failure('LOCK_TIMEOUT', `${work.file}: ${said}`, [
        'nothing of this file is kept',
        ...new Failure('LOCK_TIMEOUT', '').more,
      ])
    case '23502':
    case '23505':
      // The chain: the row before is not there, or somebody has written behind it.
      if (error.table === `${terms.schema}.ledger`)
        return new Failure('LEDGER_MOVED', `${work.file}: ${said}`)
      return sqlFailure(error, work, prefix, on)
    default:
      return sqlFailure(error, work, prefix, on)
  }
}

function sqlFailure(error: ServerError, work: Work, prefix: string, on: Session): Failure {
  return new Failure('SQL_FAILED', `${work.file}${whereAndWhat(error, work.text, prefix, on)}`, [
    'nothing of this file is kept',
    ...new Failure('SQL_FAILED', '').more,
  ])
}

/** PostgreSQL counts code points from the start of the message, but bytes where it knows no encoding. */
function whereAndWhat(
  { position, said, sqlState }: ServerError,
  text: string,
  prefix: string,
  on: Session,
): string {
  if (position === undefined) return ` ${said}`
  const inBytes = on.frames.parameters.get('server_encoding') === 'SQL_ASCII'
  const length = inBytes ? (part: string) => Buffer.byteLength(part) : codePoints
  const at = position - 1 - length(prefix)
  const { line, column } = inBytes ? placeOfByte(Buffer.from(text), at) : placeOfCodePoint(text, at)
  // The error is in what stands behind the text: something in the text reaches that far.
  const isBehind = at >= length(text)
  const what = isBehind
    ? ledgerGone.has(sqlState)
      ? `the file takes the ledger away (${sqlState})`
      : `the file ends inside an open quote, parenthesis or statement (${sqlState})`
    : said
  return `:${line}:${column} ${what}`
}

/** 3F000 schema, 42P01 table, 42883 function: what our own statements behind the text lack. */
const ledgerGone = new Set(['3F000', '42P01', '42883'])

function ignore(): void {
  // Told to whoever awaits it; behind a failure nobody does.
}
