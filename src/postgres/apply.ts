import { Failure } from '../errors.ts'
import { codePoints, placeOfByte, placeOfCodePoint } from '../files/bytes.ts'
import type { Migration } from '../files/folder.ts'
import { ledgerStates } from './ledger-format.ts'
import { identifier, literal } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { serverMajor, sessionSettings } from './settings.ts'

/** A transaction to run: a text, and the ledger rows that it earns. */
export interface Work {
  /** Name of the file for people, and for `pg_stat_activity`. */
  readonly file: string
  readonly text: string
  /** One for a file, one for each covered file for a baseline. */
  readonly earns: readonly Migration[]
  readonly how: 'transaction' | 'baseline'
  /** Id of the row before the first that is earned, 0 for none. */
  readonly head: number
  readonly over: readonly number[]
}

/** What is the same for all work of a run. */
export interface Terms {
  readonly schema: string
  readonly lockKey: bigint
  readonly run: string
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
}

/**
 * Runs a text and writes its ledger rows in one transaction, which is one message: any error drops
 * everything behind it, so COMMIT is reached only behind all the rest. In messages of their own, a
 * cancel that lands on BEGIN would let the text run in autocommit.
 *
 * @throws {Failure} SQL_FAILED with the place, TRANSACTION_ENDED, LOCK_TIMEOUT, LEDGER_MOVED,
 *   LEDGER_DAMAGED, COPY_REFUSED, CONNECTION_LOST
 */
export async function apply(on: Session, work: Work, terms: Terms): Promise<void> {
  const { prefix, suffix } = envelope(work, terms, serverMajor(on))
  try {
    await on.execute(prefix + work.text + suffix)
  } catch (error) {
    throw explain(error, work, terms, prefix, on)
  }
  const { tags, status } = on.frames
  if (tags.at(-1) !== 'COMMIT' || status !== 'I') {
    throw new Failure(
      'LEDGER_DAMAGED',
      `${work.file} ended with ${tags.at(-1)} in state ${status}, not with COMMIT`,
    )
  }
}

/**
 * What stands before and behind the text. The resets keep what a file leaves behind (settings,
 * role, cursors, prepared statements, temporary tables) from the next file and from our own
 * statements; they stand behind the text too, because the server reads a whole message before the
 * first statement of it runs, with the settings of that moment.
 */
function envelope(work: Work, terms: Terms, major: number): { prefix: string; suffix: string } {
  const ledger = identifier(terms.schema)
  const reset = `RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;${sessionSettings(major)}`
  const first = work.head + 1
  const last = work.head + work.earns.length
  const opens = work.earns.map((file, index) => openCall(file, work.head + index, work, terms))
  const prefix = [
    `/* lockstep ${work.file} */BEGIN READ WRITE;${reset}`,
    'CLOSE ALL;UNLISTEN *;DEALLOCATE ALL;DISCARD TEMP;',
    `SET LOCAL lock_timeout=${terms.lockTimeoutMs};SET LOCAL statement_timeout=${terms.statementTimeoutMs};`,
    ...opens,
    // A cursor WITH HOLD is filled at COMMIT. Ours is closed before our own COMMIT, so it is filled
    // only if the file says COMMIT itself, and then it raises: nothing is kept.
    `DECLARE lockstep_guard CURSOR WITH HOLD FOR SELECT ${ledger}.held();\n`,
  ].join('')
  const suffix = [
    // Deferred constraints and their triggers now, where an error can still be told by its place.
    `\n;SET CONSTRAINTS ALL IMMEDIATE;CLOSE ALL;${reset}`,
    'SET LOCAL search_path=pg_catalog,pg_temp;',
    `SELECT ${ledger}.close(${first},${last});`,
    // A file could have replaced the function: the rows are asked, too. Dollar quotes, since a quote
    // of ours would close one that the file has left open.
    `SELECT (CASE pg_catalog.count(*) WHEN ${work.earns.length} THEN $lockstep$1$lockstep$ ELSE $lockstep$${ledgerStates.notFinished}$lockstep$ END)::pg_catalog.int4`,
    ` FROM ${ledger}.ledger WHERE id BETWEEN ${first} AND ${last} AND finished IS NOT NULL;COMMIT`,
  ].join('')
  return { prefix, suffix }
}

function openCall(file: Migration, previous: number, work: Work, terms: Terms): string {
  const values = [
    `(${terms.lockKey})::pg_catalog.int8`,
    previous + 1,
    previous,
    file.version,
    literal(file.file),
    literal(file.checksum),
    `'{}'`,
    `'normal'`,
    literal(work.how),
    'null',
    literal(`{${work.over.join(',')}}`),
    literal(terms.run),
  ]
  return `SELECT ${identifier(terms.schema)}.open(${values.join(',')});`
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
    ? `the file ends inside an open quote, parenthesis or statement (${sqlState})`
    : said
  return `:${line}:${column} ${what}`
}
