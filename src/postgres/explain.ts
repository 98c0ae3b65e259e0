import { failures } from '../errors.ts'
import { Failure } from '../failure.ts'
import { codePoints, placeBehind, placeOfByte, placeOfCodePoint } from '../files/bytes.ts'
import type { Terms, Work } from './envelope.ts'
import { ledgerStates } from './ledger-states.ts'
import type { Part } from './pieces.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { readVerdict } from './verdict.ts'

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
    case ledgerStates.altered:
    case ledgerStates.suspected:
    case ledgerStates.violated:
      return readVerdict(work.file, error, terms.guardTables)
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
        failures.TRANSACTION_ENDED.todo,
      ])
    case '55P03':
    case '40P01':
    case '40001':
      return new Failure('LOCK_TIMEOUT', `${work.file}: ${said}`, [
        kept(work),
        failures.LOCK_TIMEOUT.todo,
      ])
    case '23502':
    case '23505':
      // The chain: the row before is not there, or somebody has written behind it.
      if (error.table === `${terms.schema}.ledger` || error.table === `${terms.schema}.step`)
        return new Failure('LEDGER_MOVED', `${work.file}: ${said}`)
  }
  const where = whereAndWhat(error, part, prefix, work.step !== undefined, on)
  return new Failure('SQL_FAILED', `${work.file}${where}`, [kept(work), failures.SQL_FAILED.todo])
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
    ? ledgerGone.has(sqlState)
      ? `the file takes the ledger away (${sqlState})`
      : `the file ends inside an open quote, parenthesis or statement (${sqlState})`
    : said
  return `:${line}:${column} ${what}`
}

/** 3F000 schema, 42P01 table, 42883 function: what our own statements behind the text lack. */
const ledgerGone = new Set(['3F000', '42P01', '42883'])
