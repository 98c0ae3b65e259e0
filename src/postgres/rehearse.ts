import { asFailure, type Failure } from '../failure.ts'
import { allowanceText, type Allowance } from '../files/allowance.ts'
import { sqlName } from '../files/table-name.ts'
import { count } from '../phrases.ts'
import { readTold, reportOf, type Report, type Told } from './effects.ts'
import { envelope, labelOf, opensOf, rehearsal, resetOwned, toldColumn } from './envelope.ts'
import type { Terms, Work } from './envelope.ts'
import { exactly } from './exact-mode.ts'
import { explain } from './explain.ts'
import { ledgerStates } from './ledger-states.ts'
import { levelOfMode, lockModes } from './lock-modes.ts'
import { literal } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'
import { serverMajor } from './settings.ts'
import { unitsOf, type Unit } from '../files/units.ts'
import { unreadable, type Finding, type Suspicion } from './verdict.ts'

/** A lock on a table that was there before the file, of a mode that keeps others from something. */
interface HeldLock {
  readonly table: string
  readonly mode: string
  /** From the statement that took it to the end of the file. */
  readonly heldMs: number
}

/** A statement, or of a large file a piece of some 128 kB. */
export interface RehearsedStatement {
  readonly line: number
  /** As PostgreSQL answers it: `ALTER TABLE`, `INSERT 0 24`; of a piece how many there are. */
  readonly tag: string
  readonly durationMs: number
  /** Of the whole server meanwhile: an upper bound. */
  readonly walBytes: number
  readonly locks: readonly HeldLock[]
}

export interface RehearsedFile extends Partial<Report> {
  readonly file: string
  /** Why it would not be applied. */
  readonly failure: Failure | undefined
  readonly durationMs: number
  readonly walBytes: number
  readonly statements: readonly RehearsedStatement[]
  /** Allowances that nothing needed, as they are written. */
  readonly unneeded: readonly string[]
}

interface Taken {
  readonly oid: number
  /** Null for what is gone already. */
  readonly table: string | null
  readonly level: number
  readonly sinceMs: number
}

type Done = Omit<RehearsedStatement, 'locks'> & { readonly taken: readonly Taken[] }

/**
 * Runs the text of a work statement by statement within the transaction that is open, behind a
 * savepoint, with its row in the ledger and its guard as `applyAll` has them. What it does stays in
 * that transaction, for the files behind it; where it fails nothing of it does.
 *
 * @param created - OIDs of tables that the rehearsal has made; filled
 */
export async function rehearse(
  on: Session,
  work: Work,
  terms: Terms,
  created: Set<number>,
): Promise<RehearsedFile> {
  // The file before has left our own settings behind.
  await on.execute(resetOwned(terms, serverMajor(on)) + opensOf(work, terms))
  const allowed = await tablesOf(on, work.allowances)
  const begunMs = performance.now()
  const walBefore = (await figures(on)).wal
  const done: Done[] = []
  const end = async (rest: Pick<RehearsedFile, 'failure'> & Partial<Report>, gone = new Map()) => {
    const endMs = performance.now()
    return {
      ...rest,
      file: work.file,
      durationMs: endMs - begunMs,
      walBytes: (await figures(on)).wal - walBefore,
      statements: done.map((each) => heldUntil(each, endMs, created, gone)),
      unneeded: unneeded(allowed, losses, terms),
    }
  }
  let losses: readonly Finding[] | undefined
  const once = async (suspicion: Suspicion | undefined): Promise<Told> => {
    done.length = 0
    return readTold(await run(on, work, terms, suspicion, done))
  }
  const undo = (): Promise<unknown> => on.execute(rehearsal.undo)
  try {
    const told = await exactly(once, undo)
    const tables = told.effects?.tables ?? []
    for (const { oid, change } of tables) if (change === 'created') created.add(oid)
    const names = tables.map(({ oid, table }) => [oid, table] as const)
    losses = told.guard ?? []
    return await end({ ...reportOf(told), failure: undefined }, new Map(names))
  } catch (error) {
    const failure = asFailure(error)
    if (!ofFile.has(failure.code)) throw failure
    await undo()
    return await end({ failure })
  }
}

/** Others are not about the file. */
const ofFile = new Set(['SQL_FAILED', 'GUARD_VIOLATED', 'TRANSACTION_ENDED', 'LOCK_TIMEOUT'])

/** @returns what the transaction has told */
async function run(
  on: Session,
  work: Work,
  terms: Terms,
  suspicion: Suspicion | undefined,
  done: Done[],
): Promise<unknown> {
  const { prefix, suffix } = envelope(work, terms, serverMajor(on), {
    exact: suspicion?.exact,
    isRehearsal: true,
  })
  const send = async (message: string, before: string, part: Pick<Unit, 'text' | 'begins'>) => {
    try {
      return await on.execute(message, Infinity, toldColumn)
    } catch (error) {
      if (!(error instanceof ServerError)) throw error
      if (suspicion && error.sqlState === ledgerStates.unreadable) throw unreadable(suspicion)
      throw explain(error, work, terms, before, on, part)
    }
  }
  const whole = { text: '', begins: { line: 1, column: 1 } }
  await send(prefix, prefix, whole)
  const label = labelOf(work)
  let before = await figures(on)
  for (const unit of unitsOf(work.text)) {
    const begunMs = performance.now()
    const { tags } = await send(label + unit.text, label, unit)
    const durationMs = performance.now() - begunMs
    const after = await figures(on)
    const had = new Map(before.locks.map(({ oid, level }) => [oid, level]))
    done.push({
      line: unit.begins.line,
      tag: tags.length > 1 ? count(tags.length, 'statement') : (tags[0] ?? ''),
      durationMs,
      walBytes: after.wal - before.wal,
      taken: after.locks
        .filter(({ oid, level }) => level > (had.get(oid) ?? 0))
        .map((lock) => ({ ...lock, sinceMs: begunMs })),
    })
    before = after
  }
  return (await send(suffix, '', whole)).told
}

interface Figures {
  /** Bytes of write-ahead log that the server has written. */
  readonly wal: number
  readonly locks: readonly Omit<Taken, 'sinceMs'>[]
}

async function figures(on: Session): Promise<Figures> {
  const [row] = await on.query<Figures>(`
    select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::pg_catalog.float8 as wal,
      coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('oid', l.relation::pg_catalog.int8, 'level', l.level,
          'table', case when c.oid is not null then pg_catalog.format('%I.%I', n.nspname, c.relname) end))
        from (
          select relation, pg_catalog.max(case mode ${levelOfMode} end) as level from pg_catalog.pg_lock_status()
          where locktype = 'relation' and pid = pg_catalog.pg_backend_pid() and relation >= 16384 group by relation
        ) as l left join pg_catalog.pg_class c on c.oid = l.relation left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where l.level > 0 and coalesce(c.relkind in ('r', 'p', 'm'), true)), '[]') as locks`)
  if (row === undefined) throw new Error('a query without a row')
  return row
}

/** @param gone - names of tables that are not there any more */
function heldUntil(
  { taken, ...statement }: Done,
  endMs: number,
  created: ReadonlySet<number>,
  gone: ReadonlyMap<number, string>,
): RehearsedStatement {
  const locks = taken.flatMap(({ oid, table, level, sinceMs }) => {
    const name = table ?? gone.get(oid)
    if (name === undefined || created.has(oid)) return []
    return [{ table: name, mode: lockModes[level - 1] ?? '', heldMs: endMs - sinceMs }]
  })
  return { ...statement, locks }
}

interface Allowed {
  readonly allowance: Allowance
  /** Null where there is no such table. */
  readonly oid: number | null
  readonly table: string | null
}

async function tablesOf(on: Session, allowances: readonly Allowance[]): Promise<Allowed[]> {
  if (allowances.length === 0) return []
  const names = allowances.map(({ table }, index) => `(${index}, ${literal(sqlName(table))})`)
  const rows = await on.query<Omit<Allowed, 'allowance'>>(`
    select c.oid::pg_catalog.int8::pg_catalog.float8 as oid,
      case when c.oid is not null then pg_catalog.format('%I.%I', n.nspname, c.relname) end as "table"
    from (values ${names.join(', ')}) as named (index, name)
      left join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(named.name)
      left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    order by named.index`)
  return rows.flatMap((row, index) => {
    const allowance = allowances[index]
    return allowance === undefined ? [] : [{ ...row, allowance }]
  })
}

/** Of a file that fails nobody can tell. */
function unneeded(
  allowed: readonly Allowed[],
  losses: readonly Finding[] | undefined,
  { guardTables }: Terms,
): string[] {
  if (losses === undefined || guardTables.length === 0) return []
  return allowed.flatMap(({ allowance, oid, table }) => {
    const idle = allowance.words.filter(
      (word) =>
        !losses.some(
          (loss) =>
            loss.what === word &&
            (loss.oid === oid || (table !== null && loss.parts?.includes(table) === true)),
        ),
    )
    return idle.length === 0 ? [] : [allowanceText({ ...allowance, words: idle })]
  })
}
