import type { Plan } from '../decide.ts'
import { Failure } from '../failure.ts'
import type { LedgerRow, Recorded, Step } from '../recorded.ts'
import { fence, ledgerFormat, ledgerStatements } from './ledger-format.ts'
import { ledgerStates } from './ledger-states.ts'
import { identifier, literal } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { sendFigures, serverMajor } from './settings.ts'

/** What one query without the lock tells: whose session it is, and the ledger if there is one. */
export interface Look {
  readonly pid: number
  readonly database: string
  readonly user: string
  /** Undefined where no ledger is. */
  readonly ledger: Ledger | undefined
}

export interface Ledger extends Recorded {
  /** `1.0`; a damaged or foreign schema shows as whatever its function says. */
  readonly format: string
  readonly rows: readonly LedgerEntry[]
}

/** A row with what only `status` shows. */
export interface LedgerEntry extends LedgerRow {
  readonly how: string
  /** Id of the run that wrote it. */
  readonly run: string
  /** ISO 8601, by the clock of the server. */
  readonly finishedAt: string | null
}

const sessionColumns = `pg_catalog.pg_backend_pid() as pid, pg_catalog.current_database() as database,
  current_user as user`

/** All rows as one JSON value: one row of one query carries the whole ledger. */
function ledgerAsJson(schema: string): string {
  return `(select pg_catalog.json_agg(entry order by entry.id) from (
      select id, previous, name, checksum, meanings, breaks_before::pg_catalog.text as "breaksBefore",
        over, finished is not null as finished, flushed, how, run, finished as "finishedAt"
      from ${identifier(schema)}.ledger
    ) as entry)`
}

/** What else decides, where this role may read it. */
function restAsJson(schema: string): string {
  const s = identifier(schema)
  return `(select pg_catalog.json_agg(entry order by entry.file collate "C", entry.ordinal) from (
      select file, ordinal, meaning, state from ${s}.step
      where not exists (select from ${s}.ledger where name = file and finished is not null)
    ) as entry) as steps,
    exists (select from ${s}.run where state = 'succeeded') as "hasSucceeded"`
}

/**
 * The first query of a session, which sets nothing and takes no lock: where every file is applied
 * it is the only one.
 *
 * @throws {ServerError | Failure} LEDGER_TOO_NEW, LEDGER_DAMAGED, and PRIVILEGE_MISSING where the
 *   ledger may not be read
 */
export async function look(on: Session, schema: string): Promise<Look> {
  const format = `${identifier(schema)}.format()`
  const seenWhole = await lookAtWhole(on, schema)
  if (seenWhole !== undefined) return seenWhole
  const { isLedger, ...seen } = await oneRow<Omit<Look, 'ledger'> & { isLedger: boolean }>(
    on,
    `select ${sessionColumns}, pg_catalog.to_regprocedure(${literal(format)}) is not null as "isLedger"`,
  )
  if (!isLedger) return { ...seen, ledger: undefined }
  // Another runner has just made it, or it is not a ledger that we know.
  checkFormat((await oneRow<{ format: string }>(on, `select ${format} as format`)).format)
  const again = await lookAtWhole(on, schema)
  if (again !== undefined) return again
  throw new Failure(
    'LEDGER_DAMAGED',
    `the schema ${identifier(schema)} holds a part of a ledger only`,
  )
}

/** The ledger by one query, or undefined where a part of it is not there. */
async function lookAtWhole(on: Session, schema: string, rest?: string): Promise<Look | undefined> {
  type Row = Omit<Look, 'ledger'> & {
    format: string
    rows: LedgerEntry[] | null
    steps: Step[] | null
    hasSucceeded: boolean
  }
  try {
    const { format, rows, steps, hasSucceeded, ...seen } = await oneRow<Row>(
      on,
      `select ${sessionColumns}, ${identifier(schema)}.format() as format,
        ${ledgerAsJson(schema)} as rows, ${rest ?? restAsJson(schema)}`,
    )
    checkFormat(format)
    return { ...seen, ledger: { format, rows: rows ?? [], steps: steps ?? [], hasSucceeded } }
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    // Before the session has its key data it is the log-in that was refused.
    if (error.sqlState === '42501' && on.frames.pid !== 0) {
      if (rest !== undefined) {
        const { user } = await oneRow<{ user: string }>(on, 'select current_user as user')
        throw mayNotRead(error, schema, user)
      }
      // Somebody who only looks may lack the right to read the other tables.
      return await lookAtWhole(on, schema, 'null as steps, true as "hasSucceeded"')
    }
    if (!absent.has(error.sqlState)) throw error
    return undefined
  }
}

/** 3F000 schema, 42P01 table, 42883 function, 42703 column: what is lacking. */
const absent = new Set(['3F000', '42P01', '42883', '42703'])

async function oneRow<Row>(on: Session, statement: string): Promise<Row> {
  const [row] = await on.query<Row>(statement)
  if (row === undefined) throw new Error('a query without a row')
  return row
}

function mayNotRead(error: ServerError, schema: string, user: string): Failure {
  const s = identifier(schema)
  const role = identifier(user)
  return new Failure('PRIVILEGE_MISSING', `this role may not read the ledger: ${error.said}`, [
    `let its owner run: grant usage on schema ${s} to ${role}; grant select on all tables in schema ${s} to ${role};`,
  ])
}

function checkFormat(format: string): void {
  const [, major] = /^(\d+)\.(\d+)$/.exec(format) ?? []
  if (major === undefined)
    throw new Failure('LEDGER_DAMAGED', 'the ledger does not tell its format')
  if (Number(major) <= ledgerFormat.major) return
  throw new Failure(
    'LEDGER_TOO_NEW',
    `the ledger has format ${format}; this program understands ${ledgerFormat.major}.x`,
  )
}

/**
 * Makes the ledger, or brings an older minor format up to date. Behind the fence, since two `create
 * ... if not exists` at the same moment fail (23505 in pg_type); who holds the lock passes it.
 *
 * @param present - the ledger as it was last seen
 * @param around - what keeps it together; a rehearsal has a transaction already
 * @throws {Failure} PRIVILEGE_MISSING, LEDGER_MOVED
 */
export async function ensureLedger(
  on: Session,
  schema: string,
  lockKey: bigint,
  present: Ledger | undefined,
  around: { readonly begin: string; readonly end: string } = { begin: 'begin', end: 'commit' },
): Promise<void> {
  const { begin, end } = around
  const own = `${ledgerFormat.major}.${ledgerFormat.minor}`
  if (present !== undefined && compareFormats(present.format, own) >= 0) return
  // Looked up first: `create schema if not exists` needs the right even where the schema exists.
  const space = await oneRow<{ exists: boolean }>(
    on,
    `select exists (select from pg_catalog.pg_namespace where nspname = ${literal(schema)})`,
  )
  const createSchema = space.exists ? [] : [`create schema ${identifier(schema)}`]
  try {
    await on.execute(
      [
        begin,
        fence(lockKey),
        ...createSchema,
        ...ledgerStatements(schema),
        // Event triggers may have written to tables that are guarded.
        sendFigures(serverMajor(on)) + end,
      ].join(';\n'),
    )
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    // 42P06: the schema was made between our look and the fence.
    if (error.sqlState === ledgerStates.lockTaken || error.sqlState === '42P06')
      throw new Failure('LEDGER_MOVED', `another runner makes the ledger: ${error.said}`)
    if (error.sqlState !== '42501') throw error
    throw new Failure('PRIVILEGE_MISSING', `this role may not make the ledger: ${error.said}`, [
      'grant create on database DATABASE to ROLE,',
      `or let somebody else run: create schema ${identifier(schema)} authorization ROLE`,
    ])
  }
}

function compareFormats(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number)
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number)
  return aMajor - bMajor || aMinor - bMinor
}

/** Makes relaxed commits durable: a synchronous commit behind them flushes theirs, too. */
export async function flushLedger(on: Session, schema: string): Promise<void> {
  await on.execute(flushing(schema))
}

/** The statement for that; nothing is written where the last row is durable already. */
export function flushing(schema: string): string {
  const ledger = `${identifier(schema)}.ledger`
  return `update ${ledger} set flushed = true
    where not flushed and id = (select id from ${ledger} order by id desc limit 1)`
}

/** Reads the short digests of statements into the rows. */
export async function withDigests<R extends Recorded>(
  on: Session,
  schema: string,
  recorded: R,
): Promise<R> {
  const found = await on.query<{ id: number; digests: string }>(
    `select id::pg_catalog.float8 as id, digests from ${identifier(schema)}.ledger`,
  )
  const byId = new Map(found.map(({ id, digests }) => [id, digests]))
  const rows = recorded.rows.map((row) => ({ ...row, digests: byId.get(row.id) }))
  return { ...recorded, rows }
}

/** Writes what changed of rows that are there, without running anything. Behind the fence. */
export async function amendLedger(
  on: Session,
  schema: string,
  lockKey: bigint,
  { amendments, takeOvers }: Pick<Plan, 'amendments' | 'takeOvers'>,
): Promise<void> {
  const s = identifier(schema)
  const changes = [
    ...amendments.map(
      ({ id, breaksBefore }) =>
        `update ${s}.ledger set breaks_before = ${breaksBefore ?? 'null'} where id = ${id}`,
    ),
    ...takeOvers.map(
      ({ from, to }) =>
        `update ${s}.step set file = ${literal(` ${to}`)} where file = ${literal(from)}`,
    ),
    // In two steps, since one file may take the name that another gives up.
    ...(takeOvers.length === 0
      ? []
      : [`update ${s}.step set file = pg_catalog.ltrim(file) where file like ' %'`]),
  ]
  if (changes.length === 0) return
  await on.execute(['begin', fence(lockKey), ...changes, 'commit'].join(';\n'))
}
