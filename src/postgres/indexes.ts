import type { Session } from './session.ts'

/** An index that PostgreSQL does not use: building it was broken off, or failed. */
export interface InvalidIndex {
  /** With its schema, quoted where need be; so is the table. */
  readonly index: string
  readonly table: string
  /** Builds an index of this table, or one that this role may not see: it may be this one. */
  readonly builderPid: number | undefined
  /** What removes it; none while somebody may be building it. */
  readonly drop: string | undefined
}

/** Invalid indexes of ordinary tables, but for those that are being built right now. */
export async function invalidIndexes(on: Session): Promise<readonly InvalidIndex[]> {
  type Row = Record<'index' | 'table', string> & { builder: number | null }
  const rows = await on.query<Row>(`
    with building as (
      select pid, relid, index_relid from pg_catalog.pg_stat_progress_create_index
      where datname = pg_catalog.current_database()
    )
    select pg_catalog.format('%I.%I', n.nspname, c.relname) as index,
      pg_catalog.format('%I.%I', tn.nspname, t.relname) as "table",
      (select pid from building b where b.relid is null or b.relid = i.indrelid limit 1) as builder
    from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_class t on t.oid = i.indrelid
      join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    where not i.indisvalid and t.relkind in ('r', 'm') and t.relpersistence <> 't'
      and not exists (select from building b where b.index_relid = i.indexrelid)
    order by 1`)
  return rows.map(({ index, table, builder }) => ({
    index,
    table,
    builderPid: builder ?? undefined,
    drop: builder === null ? `drop index concurrently ${index};` : undefined,
  }))
}

/** An index that a try to build it may have left. */
export interface LeftIndex {
  readonly oid: number
  /** With its schema, quoted where need be; so is the table. */
  readonly index: string
  readonly table: string
  readonly isValid: boolean
  /** Another session that builds an index of this table now. */
  readonly builderPid: number | undefined
}

/** @param where - about `pg_index i` and `pg_class c`, the index */
export async function leftIndexes(on: Session, where: string): Promise<LeftIndex[]> {
  const rows = await on.query<LeftIndex & { builder: number | null }>(`
    select i.indexrelid::pg_catalog.int8::pg_catalog.float8 as oid, i.indisvalid as "isValid",
      pg_catalog.format('%I.%I', n.nspname, c.relname) as index,
      pg_catalog.format('%I.%I', tn.nspname, t.relname) as "table",
      (select pid from pg_catalog.pg_stat_progress_create_index b
        where b.relid = i.indrelid and b.pid <> pg_catalog.pg_backend_pid() limit 1) as builder
    from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_class t on t.oid = i.indrelid
      join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    where ${where}
    order by c.relname`)
  return rows.map(({ builder, ...row }) => ({ ...row, builderPid: builder ?? undefined }))
}
