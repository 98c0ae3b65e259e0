import { digestsOf } from '../changes.ts'
import type { Entry } from '../files/entry.ts'
import type { Text } from '../files/text.ts'
import { giveBack, type Borrowed } from './borrowed.ts'
import { ledgerStates } from './ledger-format.ts'
import type { Pooler } from './pooler.ts'
import { identifier, inDollars, literal, optional } from './quote.ts'
import { sessionSettings, startSettings } from './settings.ts'

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
  /** A CALL or DO may commit by itself: what it does between its commits is behind no guard. */
  readonly mayCommitItself: boolean
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
 *
 * @param borrowed - the session, whose transaction has been begun already
 */
export function envelope(work: Work, terms: Terms, major: number, borrowed?: Borrowed): Envelope {
  const ledger = identifier(terms.schema)
  const care =
    borrowed === undefined
      ? careForOwned(work.modes, terms, major)
      : careForBorrowed(borrowed, terms, major)
  const first = work.head + 1
  const last = work.head + work.earns.length
  const opens = work.earns.map((file, index) => openCall(file, work.head + index, work, terms))
  const prefix = [
    `${labelOf(work)}${care.begin}${care.reset}${care.before}`,
    timeouts(work, terms),
    ...opens,
    ...stepOpens(work, terms),
    // A cursor WITH HOLD is filled at COMMIT. Ours is closed before our own COMMIT, so it is filled
    // only if the file says COMMIT itself, and then it raises: nothing is kept.
    `DECLARE lockstep_guard CURSOR WITH HOLD FOR SELECT ${ledger}.held();\n`,
    work.step?.settings ?? '',
  ].join('')
  const suffix = [
    // Deferred constraints and their triggers now, where an error can still be told by its place.
    `\n;SET CONSTRAINTS ALL IMMEDIATE;CLOSE ALL;${care.behind}${care.reset}`,
    'SET LOCAL search_path=pg_catalog,pg_temp;',
    ...(work.earns.length > 0 ? [`SELECT ${ledger}.close(${first},${last});`] : []),
    // A file could have replaced the function: the rows are asked, too. Dollar quotes, since a quote
    // of ours would close one that the file has left open.
    `SELECT (CASE pg_catalog.count(*) WHEN ${work.earns.length} THEN $lockstep$1$lockstep$ ELSE $lockstep$${ledgerStates.notFinished}$lockstep$ END)::pg_catalog.int4`,
    ` FROM ${ledger}.ledger WHERE id BETWEEN ${first} AND ${last} AND finished IS NOT NULL;`,
    ...stepStays(work, terms),
    `${care.leave}COMMIT`,
  ].join('')
  return { prefix, suffix }
}

function timeouts(work: Work, terms: Terms): string {
  const lockTimeoutMs = work.lockTimeoutMs ?? terms.lockTimeoutMs
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
  const tidy = 'CLOSE ALL;UNLISTEN *;DISCARD TEMP;'
  return {
    begin: '',
    reset: `${resetAll}${ours}`,
    before: tidy,
    behind: tidy,
    leave: giveBack(borrowed),
  }
}

/**
 * The row of a statement, behind the same fence. The last statement has none: with the row of the
 * file the rows of all before it go.
 */
function stepOpens({ file, earns, step }: Work, terms: Terms): string[] {
  if (step === undefined) return []
  const ledger = identifier(terms.schema)
  if (earns.length > 0) return [`SELECT ${ledger}.steps_end(${literal(file)},${step.ordinal - 1});`]
  return [`SELECT ${stepCall(terms, file, step, 'done')};`]
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
  ]
  return `SELECT ${identifier(terms.schema)}.open(${values.join(',')});`
}
