import type { Found } from '../objections.ts'
import { historiesAsJson } from './histories.ts'
import { literal } from './quote.ts'
import type { Session } from './session.ts'

/**
 * What stands in the database beside the ledger: relations, types and routines of roles that this
 * one belongs to, wherever they are, and anybody's in `public` or on the search_path. What belongs
 * to an extension does not count.
 */
export async function findObjects(on: Session, schema: string): Promise<Found> {
  type Row = { [K in keyof Found]: Found[K] | null }
  const [row] = await on.query<Row>(
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
        from (select * from found order by kind <> 'table', full_name limit 5) as shown) as first,
      ${historiesAsJson(schema)} as histories
    from found`,
  )
  return {
    tables: row?.tables ?? 0,
    objects: row?.objects ?? 0,
    first: row?.first ?? [],
    histories: row?.histories ?? [],
  }
}
