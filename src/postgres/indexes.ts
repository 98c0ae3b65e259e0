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
