import type { Allowance } from '../files/allowance.ts'
import type { Migration } from '../files/folder.ts'
import type { TablePattern } from '../files/table-name.ts'
import { giveBack, type Borrowed } from './borrowed.ts'
import { closing, keeping, opening } from './guard.ts'
import { ledgerStates } from './ledger-format.ts'
import type { Pooler } from './pooler.ts'
import { identifier, inDollars, literal } from './quote.ts'
import { sessionSettings, startSettings } from './settings.ts'
import type { Exact } from './verdict.ts'

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
  /** What it may do to guarded tables. */
  readonly allowances: readonly Allowance[]
}

/** What is the same for all work of a run. */
export interface Terms {
  readonly schema: string
  readonly lockKey: bigint
  readonly run: string
  /** Name of the session. */
  readonly application: string
  readonly pooler: Pooler
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly guardTables: readonly TablePattern[]
}

/**
 * What stands before and behind the text. The resets keep what a file leaves behind (settings,
 * role, cursors, prepared statements, temporary tables) from the next file and from our own
 * statements; they stand behind the text too, because the server reads a whole message before the
 * first statement of it runs, with the settings of that moment.
 *
 * @param borrowed - the session, whose transaction has been begun already
 * @param exact - what must be told exactly: the rows that an earlier try may have lost
 */
export function envelope(
  work: Work,
  terms: Terms,
  major: number,
  borrowed?: Borrowed,
  exact?: Exact,
): { prefix: string; suffix: string } {
  const ledger = identifier(terms.schema)
  const care =
    borrowed === undefined ? careForOwned(terms, major) : careForBorrowed(borrowed, terms, major)
  const first = work.head + 1
  const last = work.head + work.earns.length
  const opens = work.earns.map((file, index) => {
    const guard = index === work.earns.length - 1 ? opening(terms.guardTables, work.allowances) : []
    return openCall(file, work.head + index, work, terms, guard)
  })
  const guards = terms.guardTables.length > 0
  const prefix = [
    `/* lockstep ${work.file} */${care.begin}${care.reset}${care.before}`,
    `SET LOCAL lock_timeout=${terms.lockTimeoutMs};SET LOCAL statement_timeout=${terms.statementTimeoutMs};`,
    ...opens,
    exact === undefined ? '' : keeping(ledger, exact),
    // A cursor WITH HOLD is filled at COMMIT. Ours is closed before our own COMMIT, so it is filled
    // only if the file says COMMIT itself, and then it raises: nothing is kept.
    `DECLARE lockstep_guard CURSOR WITH HOLD FOR SELECT ${ledger}.held();\n`,
  ].join('')
  const suffix = [
    // Deferred constraints and their triggers now, where an error can still be told by its place.
    `\n;SET CONSTRAINTS ALL IMMEDIATE;${care.behind}${care.reset}`,
    'SET LOCAL search_path=pg_catalog,pg_temp;',
    `SELECT ${closing(ledger, [first, last], guards, exact)} AS ${toldColumn};CLOSE ALL;`,
    // A file could have replaced the function: the rows are asked, too. Dollar quotes, since a quote
    // of ours would close one that the file has left open.
    `SELECT (CASE pg_catalog.count(*) WHEN ${work.earns.length} THEN $lockstep$1$lockstep$ ELSE $lockstep$${ledgerStates.notFinished}$lockstep$ END)::pg_catalog.int4`,
    ` FROM ${ledger}.ledger WHERE id BETWEEN ${first} AND ${last} AND finished IS NOT NULL${guards ? closeIsOurs(terms.schema) : ''};`,
    // Else the figures of this file would be among those of the next.
    major >= 15 ? 'SELECT pg_catalog.pg_stat_force_next_flush();' : '',
    `${care.leave}COMMIT`,
  ].join('')
  return { prefix, suffix }
}

/** How a session is made ready for a text, tidied up behind it, and left. */
interface Care {
  readonly begin: string
  /** Before the text and behind it. */
  readonly reset: string
  /** Only before it, only behind it. */
  readonly before: string
  readonly behind: string
  /** The last before COMMIT. */
  readonly leave: string
}

const resetAll = 'RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;'

/** A session of our own is put back to its beginning. */
function careForOwned({ pooler, application }: Terms, major: number): Care {
  const start = pooler === 'session' ? startSettings(application) : ''
  return {
    begin: 'BEGIN READ WRITE;',
    reset: `${resetAll}${sessionSettings(major)}${start}`,
    before: 'CLOSE ALL;UNLISTEN *;DEALLOCATE ALL;DISCARD TEMP;',
    behind: '',
    leave: '',
  }
}

/**
 * A session that a pooler lends for a transaction is put back to what it was found as. Temporary
 * tables of others go, too: they hide tables of the same name. Prepared statements stay: poolers
 * keep those of their clients on the session.
 */
function careForBorrowed(borrowed: Borrowed, { application }: Terms, major: number): Care {
  const ours = `${sessionSettings(major, 'SET LOCAL')}${startSettings(application, 'SET LOCAL')}`
  const tidy = 'CLOSE ALL;UNLISTEN *;DISCARD TEMP;'
  return {
    begin: '',
    reset: `${resetAll}${ours}`,
    before: tidy,
    behind: tidy,
    leave: giveBack(borrowed),
  }
}

/** The name of the column in which the transaction tells what it did. */
export const toldColumn = 'lockstep_told'

/** What changes a function leaves a row of this very transaction, or of one inside it. */
function closeIsOurs(schema: string): string {
  const name = inDollars(`${identifier(schema)}.close(int8,int8,bool,oid[])`)
  return ` AND (SELECT pg_catalog.age(xmin) FROM pg_catalog.pg_proc WHERE oid=${name}::pg_catalog.regprocedure)>0`
}

function openCall(
  file: Migration,
  previous: number,
  work: Work,
  terms: Terms,
  guard: readonly string[],
): string {
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
    ...guard,
  ]
  return `SELECT ${identifier(terms.schema)}.open(${values.join(',')});`
}
