import { readTableName, sqlName, type TablePattern } from '../files/table-name.ts'
import { Failure } from '../failure.ts'
import { toldColumn } from './envelope.ts'
import { literal } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

/** What stands behind a name of LOCKSTEP_GUARD_TABLES. */
interface Resolved {
  readonly oid: number
  /** `crm.leads`, quoted where it must be. */
  readonly table: string
  /** Of `pg_class.relkind`. */
  readonly kind: string
  /** Rows as the last VACUUM or ANALYZE has seen them; undefined before the first. */
  readonly estimate: number | undefined
}

export interface Census {
  readonly found: readonly Resolved[]
  /** Names behind which nothing stands. */
  readonly missing: readonly TablePattern[]
  /**
   * What the names without a schema mean, with it: a file can make another table that they mean from
   * then on, and the one that was meant is guarded all the same.
   */
  readonly meant: readonly TablePattern[]
}

/**
 * @param schema - of the ledger, which is guarded in any case
 * @throws {Failure} CONFIG_INVALID where the role may not look into a schema that is named
 */
export async function resolve(
  on: Session,
  patterns: readonly TablePattern[],
  schema: string,
): Promise<Census> {
  if (patterns.length === 0) return { found: [], missing: [], meant: [] }
  const wanted = patterns.map((pattern, index) => {
    const { isAll } = pattern
    const name = isAll ? 'null' : literal(sqlName(pattern))
    const space = isAll ? literal(pattern.schema ?? '*') : 'null'
    return `(${index}, ${name}, ${space})`
  })
  type Row = { wanted: number; oid: string; table: string; kind: string; estimate: number | null }
  const rows = await on
    .query<Row>(`
      with wanted (index, oid, space) as materialized (
        -- Each name is looked up once, not for each table there is.
        select index, pg_catalog.to_regclass(name), space from (values ${wanted.join(', ')}) as named (index, name, space)
      )
      select wanted.index as wanted, c.oid::text as oid, format('%I.%I', n.nspname, c.relname) as "table",
        c.relkind::text as kind, (case c.relkind when 'p' then (
          select sum(nullif(part.reltuples, -1))
          from pg_catalog.pg_partition_tree(c.oid) tree join pg_catalog.pg_class part on part.oid = tree.relid where tree.isleaf
        ) else nullif(c.reltuples, -1) end)::pg_catalog.float8 as estimate
      from wanted
        join pg_catalog.pg_class c on c.oid = wanted.oid
          or c.relkind in ('r', 'p') and not c.relispartition and wanted.space is not null
            and c.relnamespace in (
              select oid from pg_catalog.pg_namespace
              where nspname = wanted.space or wanted.space = '*' and nspname !~ '^pg_'
                and nspname not in ('information_schema', ${literal(schema)}))
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      order by wanted.index, 3`)
    .catch((error: unknown) => {
      if (!(error instanceof ServerError) || error.sqlState !== '42501') throw error
      throw new Failure('CONFIG_INVALID', `LOCKSTEP_GUARD_TABLES: ${error.said}`, [
        'let this role use the schema of the tables that are to be guarded',
      ])
    })
  const found = new Map(
    rows.map(({ oid, table, kind, estimate }) => [
      oid,
      { oid: Number(oid), table, kind, estimate: estimate ?? undefined },
    ]),
  )
  const present = new Set(rows.map((row) => row.wanted))
  const meant = rows.flatMap(({ wanted: index, table }) => {
    const isBare = patterns[index]?.isAll === false && patterns[index].schema === undefined
    const full = readTableName(table)
    return isBare && full !== undefined ? [{ ...full, isAll: false }] : []
  })
  return {
    found: [...found.values()],
    missing: patterns.filter((_, index) => !present.has(index)),
    meant,
  }
}

/** Names of all tables, for whoever has mistyped one. */
export async function tableNames(on: Session): Promise<string[]> {
  const rows = await on.query<{ name: string }>(`
    select c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`)
  return rows.map(({ name }) => name)
}

/** Rows of a table, or undefined where they cannot be counted within the time, or not by this role. */
export async function countRows(
  on: Session,
  table: string,
  withinMs: number,
): Promise<number | undefined> {
  const timeout = Math.floor(withinMs)
  if (timeout < 1) return undefined
  try {
    const { told } = await on.execute(
      `begin read only;set local row_security=off;set local statement_timeout=${timeout};
      select count(*)::pg_catalog.text as ${toldColumn} from ${table};commit`,
      undefined,
      toldColumn,
    )
    return Number(told)
  } catch (error) {
    if (!(error instanceof ServerError) || !uncounted.has(error.sqlState)) throw error
    await on.execute('rollback')
    return undefined
  }
}

/** 57014 the time is over, 55P03 it is locked, 42501 it may not be read, 42P01 it is gone meanwhile. */
const uncounted = new Set(['57014', '55P03', '42501', '42P01'])
