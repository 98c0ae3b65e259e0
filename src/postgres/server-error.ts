import { type FailureCode } from '../errors.ts'
import { Failure } from '../failure.ts'
import { ledgerStates } from './ledger-states.ts'

/**
 * An error that the server reported, reduced to what may be shown: detail, where, query and
 * parameters are never taken over. As a failure it speaks of a statement of Lockstep's own; for the
 * text of a file `apply` makes its own of it.
 */
export class ServerError extends Failure {
  /** SQLSTATE, PostgreSQL manual, appendix A. */
  readonly sqlState: string
  /** Primary message and SQLSTATE, for people. */
  readonly said: string
  /** 1-based, in code points of the text that was sent (bytes where the database is SQL_ASCII). */
  readonly position: number | undefined
  /** The table that the error is about, as `schema.table`, where the server says it. */
  readonly table: string | undefined
  /** The verdict of the guard, as JSON: names and numbers only. No other detail is taken over. */
  readonly verdict: string | undefined

  /** @param routine - the function of the server that raised it */
  constructor(
    sqlState: string,
    primary: string,
    position: number | undefined,
    table: string | undefined,
    {
      detail,
      routine,
    }: { readonly detail?: string | undefined; readonly routine?: string | undefined } = {},
  ) {
    const said = `${shown(sqlState, primary, routine)} (${sqlState})`
    super(
      codes[sqlState] ?? codes[sqlState.slice(0, 2)] ?? 'DEFECT',
      `PostgreSQL refused what the ledger needs: ${said}`,
    )
    // The check behind a file raises by a cast, which needs no function that the file could replace.
    this.sqlState = primary.includes(`"${ledgerStates.notFinished}"`)
      ? ledgerStates.notFinished
      : sqlState
    this.said = said
    this.position = position
    this.table = table
    const isOfGuard = sqlState === ledgerStates.suspected || sqlState === ledgerStates.violated
    this.verdict = isOfGuard ? detail : undefined
  }
}

/** What an error in a statement of our own means, by SQLSTATE or its class. */
const codes: Readonly<Record<string, FailureCode>> = {
  '42501': 'PRIVILEGE_MISSING',
  '25006': 'DATABASE_UNREACHABLE', // read-only: a standby
  '55P03': 'LOCK_TIMEOUT',
  '40': 'LOCK_TIMEOUT',
  '57014': 'INTERRUPTED', // cancelled by an administrator
  '53': 'CONNECTION_LOST', // the server is out of some resource
  '57': 'CONNECTION_LOST',
  '58': 'CONNECTION_LOST',
}

/**
 * The primary message without what may be a value: in class 22 (data exception) all from the first
 * quote to the last, in a syntax error too unless what is quoted is a word or a mark. The message comes in
 * the server's language, and a value may hold quotes of its own.
 */
function shown(sqlState: string, primary: string, routine: string | undefined): string {
  // RAISE and ASSERT put together what they like, under any code. Class LS is ours.
  if (routine !== undefined && raising.has(routine) && !sqlState.startsWith('LS'))
    return 'an exception that the file raises; its text is in the log of the server'
  const quoted = fromFirstQuoteToLast.exec(primary)?.[0]
  if (quoted === undefined || namesOfEncodings.has(sqlState)) return primary
  if (!sqlState.startsWith('22') && sqlState !== '42601') return primary
  if (sqlState === '42601' && isHarmless(quoted.slice(1, -1))) return primary
  return primary.replace(quoted, () => '"…"')
}

/** Functions of PL/pgSQL, as the server names the place of an error in its own source. */
const raising = new Set(['exec_stmt_raise', 'exec_stmt_assert'])

/** What these quote are encodings: a character that is none there, or has no equivalent there. */
const namesOfEncodings = new Set(['22021', '22P05'])

const fromFirstQuoteToLast = /["'«»‹›„“”‚‘’「」『』](?:.*["'«»‹›„“”‚‘’「」『』])?/s

function isHarmless(text: string): boolean {
  // Here, since a literal is made where it stands: the tables of Unicode are not for every run.
  return /^(?:[\p{L}_][\p{L}\p{N}_$]{0,62}|[^\p{L}\p{N}'"$\s]{1,3})$/u.test(text)
}
