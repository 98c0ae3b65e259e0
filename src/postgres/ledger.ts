import type { Found, LedgerRow } from '../decide.ts'
import { Failure } from '../errors.ts'
import { fence, ledgerFormat, ledgerStates, ledgerStatements } from './ledger-format.ts'
import { identifier, literal, optional } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

/** What one query without the lock tells: whose session it is, and the ledger if there is one. */
export interface Look {
  readonly pid: number
  readonly database: string
  readonly user: string
  /** Undefined where no ledger is. */
  readonly ledger: Ledger | undefined
}

export interface Ledger {
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
      select id, previous, name, checksum, over, finished is not null as finished, flushed, how, run,
        finished as "finishedAt"
      from ${identifier(schema)}.ledger
    ) as entry)`
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
async function lookAtWhole(on: Session, schema: string): Promise<Look | undefined> {
  type Row = Omit<Look, 'ledger'> & { format: string; rows: LedgerEntry[] | null }
  try {
    const { format, rows, ...seen } = await oneRow<Row>(
      on,
      `select ${sessionColumns}, ${identifier(schema)}.format() as format, ${ledgerAsJson(schema)} as rows`,
    )
    checkFormat(format)
    return { ...seen, ledger: { format, rows: rows ?? [] } }
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    // Before the session has its key data it is the log-in that was refused.
    if (error.sqlState === '42501' && on.frames.pid !== 0) throw mayNotRead(error, schema)
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

function mayNotRead(error: ServerError, schema: string): Failure {
  const s = identifier(schema)
  return new Failure('PRIVILEGE_MISSING', `this role may not read the ledger: ${error.said}`, [
    `let its owner run: grant usage on schema ${s} to ROLE; grant select on all tables in schema ${s} to ROLE`,
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
 * @throws {Failure} PRIVILEGE_MISSING, LEDGER_MOVED
 */
export async function ensureLedger(
  on: Session,
  schema: string,
  lockKey: bigint,
  present: Ledger | undefined,
): Promise<void> {
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
      ['begin', fence(lockKey), ...createSchema, ...ledgerStatements(schema), 'commit'].join(';\n'),
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

/**
 * What stands in the database beside the ledger: relations, types and routines of roles that this
 * one belongs to, wherever they are, and anybody's in `public` or on the search_path. What belongs
 * to an extension does not count.
 */
export async function findObjects(on: Session, schema: string): Promise<Found> {
  const row = await oneRow<{ tables: number; objects: number; first: string[] | null }>(
    on,
    `with spaces as (
      select oid, nspname from pg_catalog.pg_namespace
      where nspname !~ '^pg_' and nspname not in ('information_schema', ${literal(schema)})
    ), things as (
      select case c.relkind when 'r' then 'table' when 'p' then 'table' when 'f' then 'foreign table'
          when 'v' then 'view' when 'm' then 'materialized view' else 'sequence' end as kind,
        c.relname as name, c.relnamespace as space, c.relowner as owner,
        'pg_catalog.pg_class'::pg_catalog.regclass as class, c.oid as oid
      from pg_catalog.pg_class c
      where c.relkind in ('r', 'p', 'f', 'v', 'm')
        or c.relkind = 'S' and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and d.objid = c.oid and d.deptype in ('a', 'i'))
      union all
      select 'type', t.typname, t.typnamespace, t.typowner, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
      from pg_catalog.pg_type t left join pg_catalog.pg_class c on c.oid = t.typrelid
      where t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and c.relkind = 'c'
      union all
      select 'routine', p.proname, p.pronamespace, p.proowner, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
      from pg_catalog.pg_proc p
    ), found as (
      select kind, nspname || '.' || name as full_name
      from things join spaces on spaces.oid = things.space
      where not exists (
          select from pg_catalog.pg_depend d
          where d.classid = things.class and d.objid = things.oid and d.deptype = 'e')
        and (pg_catalog.pg_has_role(things.owner, 'member')
          or nspname = 'public' or nspname = any (pg_catalog.current_schemas(false)))
    )
    select count(*)::int as objects, count(*) filter (where kind = 'table')::int as tables,
      (select json_agg(kind || ' ' || full_name)
        from (select * from found order by kind <> 'table', full_name limit 5) as shown) as first
    from found`,
  )
  return { ...row, first: row.first ?? [] }
}

/** A run that has work to do, for whoever comes later; one with nothing to do leaves no row. */
export interface Run {
  /** Eight hexadecimal digits. */
  readonly id: string
  readonly pod: string
  /** A person watches, on a terminal. */
  readonly isAttended: boolean
}

/** Once for a run, however many connections it needs. */
export async function recordStart(
  on: Session,
  schema: string,
  run: Run,
  setChecksum: string,
): Promise<void> {
  const values = [literal(run.id), literal(setChecksum), literal('running'), literal(run.pod)]
  await on.query(
    `insert into ${identifier(schema)}.run (id, set_checksum, state, pod) values (${values.join(', ')})
    on conflict (id) do nothing`,
  )
}

export interface RunEnd {
  readonly state: 'succeeded' | 'failed' | 'interrupted'
  readonly exitCode: number
  /** Code of the failure, never more: others may read the row. */
  readonly reason: string | undefined
  /** The file that was under way. */
  readonly fileBegun: string | undefined
}

/** Records how a run ended; rows older than 90 days go, except the first success. */
export async function recordEnd(on: Session, schema: string, run: Run, end: RunEnd): Promise<void> {
  const runs = `${identifier(schema)}.run`
  await on.execute(`
    rollback;
    update ${runs} set state = ${literal(end.state)}, exit_code = ${end.exitCode},
      reason = ${optional(end.reason)}, file_begun = ${optional(end.fileBegun)},
      finished = pg_catalog.clock_timestamp()
    where id = ${literal(run.id)};
    delete from ${runs} where started < pg_catalog.clock_timestamp() - interval '90 days'
      and id is distinct from (
        select id from ${runs} where state = 'succeeded' order by started limit 1)`)
}

/** A run that ended with a failure that a retry does not mend. */
export interface FailedRun {
  readonly id: string
  readonly reason: string
  readonly file: string | undefined
  /** How long ago it ended, by the clock of the server. */
  readonly agoMs: number
  /** When that was asked, by `performance.now()`: the answer is of a later moment. */
  readonly askedMs: number
}

/** The latest run of the same files that ended with exit 1, unless another has succeeded since. */
export async function failedRun(
  on: Session,
  schema: string,
  setChecksum: string,
): Promise<FailedRun | undefined> {
  const askedMs = performance.now()
  const [row] = await on.query<Omit<FailedRun, 'askedMs'> & { exit: number }>(`
    select id, reason, file_begun as file, exit_code as exit,
      (extract(epoch from pg_catalog.clock_timestamp() - finished) * 1000)::pg_catalog.float8 as "agoMs"
    from ${identifier(schema)}.run
    where set_checksum = ${literal(setChecksum)} and exit_code in (0, 1)
    order by finished desc limit 1`)
  return row?.exit === 1 ? { ...row, file: row.file ?? undefined, askedMs } : undefined
}

/** Makes relaxed commits durable: a synchronous commit behind them flushes theirs, too. */
export async function flushLedger(on: Session, schema: string): Promise<void> {
  const ledger = `${identifier(schema)}.ledger`
  await on.execute(
    `update ${ledger} set flushed = true where id = (select id from ${ledger} order by id desc limit 1)`,
  )
}
