import { digestsOf } from '../changes.ts'
import type { Allowance } from '../files/allowance.ts'
import type { Entry } from '../files/entry.ts'
import type { TablePattern } from '../files/table-name.ts'
import type { Text } from '../files/text.ts'
import { giveBack, type Borrowed } from './borrowed.ts'
import { closing, closingFunction, keeping, watching } from './guard.ts'
import { ledgerStates } from './ledger-states.ts'
import type { Pooler } from './pooler.ts'
import { identifier, inDollars, literal, optional } from './quote.ts'
import { sendFigures, sessionSettings, startSettings } from './settings.ts'
import type { Exact } from './verdict.ts'

/** A transaction to run: a text, and the ledger rows that it earns. */
export interface Work {
  /** Name of the file for people, and for `pg_stat_activity`. */
  readonly file: string
  readonly text: Text
  /** Of the transaction, `ISOLATION LEVEL SERIALIZABLE` for example; mostly none. */
  readonly modes: string
  /** Undefined for those of the run. */
  readonly lockTimeoutMs: number | undefined
  readonly statementTimeoutMs: number | undefined
  /** One for a file, one for each covered file for a baseline. */
  readonly earns: readonly Entry[]
  readonly how: 'transaction' | 'baseline' | 'statements'
  /** Id of the row before the first that is earned, 0 for none. */
  readonly head: number
  readonly over: readonly number[]
  /** What it may do to guarded tables. */
  readonly allowances: readonly Allowance[]
  /** Of a file that runs statement by statement: which one the text is. */
  readonly step?: Step
}

/** One statement of a file. */
export interface Step {
  /** From 1 on, and how many there are. */
  readonly ordinal: number
  readonly of: number
  readonly meaning: string
  /** What the file sets before it, which ends with each transaction of ours. */
  readonly settings: string
  /** What stands before it in the file, by which places are told. */
  readonly lead: string
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

/** How a work is done. */
export interface Manner {
  /** The session, whose transaction has been begun already. */
  readonly borrowed?: Borrowed | undefined
  /** What must be told exactly: the rows that an earlier try may have lost. */
  readonly exact?: Exact | undefined
  /** COMMIT does not wait for the disk: that of a later one is waited for, which flushes both. */
  readonly isRelaxed?: boolean | undefined
  /** Within a savepoint of a transaction that never ends with COMMIT. */
  readonly isRehearsal?: boolean | undefined
}

export interface Envelope {
  readonly prefix: string
  readonly suffix: string
}

/** In front of a message, for `pg_stat_activity`. */
export function labelOf({ file }: Pick<Work, 'file'>): string {
  return `/* lockstep ${file} */`
}

/**
 * What stands before and behind the text. The resets keep what a file leaves behind (settings,
 * role, cursors, prepared statements, temporary tables) from the next file and from our own
 * statements; they stand behind the text too, because the server reads a whole message before the
 * first statement of it runs, with the settings of that moment.
 */
export function envelope(
  work: Work,
  terms: Terms,
  major: number,
  { borrowed, exact, isRelaxed = false, isRehearsal = false }: Manner = {},
): Envelope {
  const ledger = identifier(terms.schema)
  const owned = careForOwned(work.modes, terms, major)
  const care = borrowed === undefined ? owned : careForBorrowed(borrowed, terms, major)
  const first = work.head + 1
  const last = work.head + work.earns.length
  const guards = terms.guardTables.length > 0
  const prefix = [
    `${labelOf(work)}${isRehearsal ? rehearsal.begin : care.begin}${care.reset}${care.before}`,
    timeouts(work, terms, exact !== undefined),
    isRehearsal ? '' : opensOf(work, terms, isRelaxed),
    ...stepOpens(work, terms),
    watching(ledger, terms.guardTables, work, isRehearsal),
    exact === undefined ? '' : keeping(ledger, exact),
    // A cursor WITH HOLD is filled at COMMIT. Ours is closed before our own COMMIT, so it is filled
    // only if the file says COMMIT itself, and then it raises: nothing is kept.
    `DECLARE lockstep_guard CURSOR WITH HOLD FOR SELECT ${ledger}.held();\n`,
    work.step?.settings ?? '',
  ].join('')
  const suffix = [
    // Deferred constraints and their triggers now, where an error can still be told by its place.
    // Once more, for a trigger of those that defers others again.
    `\n;SET CONSTRAINTS ALL IMMEDIATE;SET CONSTRAINTS ALL IMMEDIATE;${care.behind}${care.reset}`,
    'SET LOCAL search_path=pg_catalog,pg_temp;',
    ...closes(work, terms, closing(ledger, [first, last], guards, exact)),
    // Not before the look, which is a cursor itself.
    'CLOSE ALL;',
    // A file could have replaced the functions: the rows are asked, too. Dollar quotes, since a quote
    // of ours would close one that the file has left open.
    `SELECT (CASE pg_catalog.count(*) WHEN ${work.earns.length} THEN $lockstep$1$lockstep$ ELSE $lockstep$${ledgerStates.notFinished}$lockstep$ END)::pg_catalog.int4`,
    ` FROM ${ledger}.ledger WHERE id BETWEEN ${first} AND ${last} AND finished IS NOT NULL;`,
    ...stepStays(work, terms),
    guards && !isRehearsal ? closeStays(terms) : '',
    sendFigures(major),
    isRehearsal
      ? rehearsal.end
      : `${care.leave}${isRelaxed ? 'SET LOCAL synchronous_commit=off;' : ''}COMMIT`,
  ].join('')
  return { prefix, suffix }
}

/** Nothing of a file stays, and the transaction goes on. */
export const rehearsal = {
  begin: 'SAVEPOINT lockstep_file;',
  end: 'RELEASE SAVEPOINT lockstep_file',
  undo: 'ROLLBACK TO SAVEPOINT lockstep_file;RELEASE SAVEPOINT lockstep_file',
} as const

/** Writes the rows that the work earns; they are not finished yet. */
export function opensOf(work: Work, terms: Terms, isRelaxed = false): string {
  return work.earns
    .map((file, index) => openCall(file, work.head + index, work, terms, isRelaxed))
    .join('')
}

/** In exact mode a table is locked as no file of only rows locks it: others would queue behind us. */
function timeouts(work: Work, terms: Terms, isExact: boolean): string {
  const own = isExact && work.lockTimeoutMs === 0 ? undefined : work.lockTimeoutMs
  const lockTimeoutMs = own ?? terms.lockTimeoutMs
  const statementTimeoutMs = work.statementTimeoutMs ?? terms.statementTimeoutMs
  return `SET LOCAL lock_timeout=${lockTimeoutMs};SET LOCAL statement_timeout=${statementTimeoutMs};`
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

/** Puts a session of our own back to its beginning, outside of a transaction too. */
export function resetOwned(terms: Terms, major: number): string {
  const { reset, before } = careForOwned('', terms, major)
  return reset + before
}

/** A session of our own is put back to its beginning. */
function careForOwned(modes: string, { pooler, application }: Terms, major: number): Care {
  const start = pooler === 'session' ? startSettings(application) : ''
  return {
    begin: `BEGIN READ WRITE${modes === '' ? '' : `, ${modes}`};`,
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
  const tidy = 'UNLISTEN *;DISCARD TEMP;'
  return {
    begin: '',
    reset: `${resetAll}${ours}`,
    before: `CLOSE ALL;${tidy}`,
    behind: tidy,
    leave: giveBack(borrowed),
  }
}

/** The row of a statement, behind the same fence. The last statement has none, but that of the file. */
function stepOpens({ file, earns, step }: Work, terms: Terms): string[] {
  if (step === undefined || earns.length > 0) return []
  return [`SELECT ${stepCall(terms, file, step, 'done')};`]
}

/** The name of the column in which the transaction tells what it did. */
export const toldColumn = 'lockstep_told'

/**
 * What a statement did is kept in its row; with the row of the file those of its statements go, and
 * what they did is summed up there. Behind the look, since rows of the ledger do not vanish either.
 */
function closes({ file, earns, head, step }: Work, { schema }: Terms, call: string): string[] {
  if (step === undefined) return [`SELECT ${call} AS ${toldColumn};`]
  const ledger = identifier(schema)
  if (earns.length === 0) {
    const which = `file=${inDollars(file)} AND ordinal=${step.ordinal}`
    return [`UPDATE ${ledger}.step SET did=${call} WHERE ${which} RETURNING did AS ${toldColumn};`]
  }
  const ended = `${inDollars(file)},${step.ordinal - 1},${head + 1}::pg_catalog.int8`
  return [`SELECT ${call};SELECT ${ledger}.steps_end(${ended}) AS ${toldColumn};`]
}

/** What changes a function leaves a row of this very transaction, or of one inside it. */
function closeStays({ schema }: Terms): string {
  const name = inDollars(`${identifier(schema)}.${closingFunction}`)
  return [
    `SELECT (CASE pg_catalog.age(xmin)>0 WHEN true THEN $lockstep$1$lockstep$ ELSE $lockstep$${ledgerStates.notFinished}$lockstep$ END)::pg_catalog.int4`,
    ` FROM pg_catalog.pg_proc WHERE oid=${name}::pg_catalog.regprocedure;`,
  ].join('')
}

/** As with the row of a file: it must still be there, and be this transaction's own. */
function stepStays({ file, earns, step }: Work, { schema }: Terms): string[] {
  if (step === undefined || earns.length > 0) return []
  return [
    `SELECT (CASE pg_catalog.count(*) WHEN 1 THEN $lockstep$1$lockstep$ ELSE $lockstep$${ledgerStates.notFinished}$lockstep$ END)::pg_catalog.int4`,
    ` FROM ${identifier(schema)}.step WHERE file = ${inDollars(file)} AND ordinal = ${step.ordinal}`,
    ' AND xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid;',
  ]
}

export function stepCall(
  { schema, lockKey }: Pick<Terms, 'schema' | 'lockKey'>,
  file: string,
  { ordinal, meaning }: Pick<Step, 'ordinal' | 'meaning'>,
  state: 'begun' | 'done',
  before?: string,
): string {
  const values = [
    `(${lockKey})::pg_catalog.int8`,
    literal(file),
    ordinal,
    literal(meaning),
    literal(state),
    optional(before),
  ]
  return `${identifier(schema)}.step(${values.join(',')})`
}

/** Writes the row of a file, which is not finished yet. */
export function openCall(
  file: Entry,
  previous: number,
  work: { readonly how: Work['how'] | 'adopted'; readonly over: readonly number[] },
  terms: Pick<Terms, 'schema' | 'lockKey' | 'run'>,
  isRelaxed = false,
): string {
  const values = [
    `(${terms.lockKey})::pg_catalog.int8`,
    previous + 1,
    previous,
    file.version,
    literal(file.file),
    literal(file.checksum),
    literal(`{${file.meaning.file}}`),
    literal(file.directives.afterRollout ? 'after-rollout' : 'normal'),
    literal(work.how),
    file.directives.breaksBefore ?? 'null',
    literal(`{${work.over.join(',')}}`),
    literal(terms.run),
    literal(digestsOf(file)),
    !isRelaxed,
  ]
  return `SELECT ${identifier(terms.schema)}.open(${values.join(',')});`
}
