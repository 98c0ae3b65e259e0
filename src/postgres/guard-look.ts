import { literal } from './quote.ts'

/** Effects of a file name so many tables, and so many indexes; the rest is counted. */
const mostNamed = 100

/** Of `pg_class.relkind`: what has rows that a file can lose. */
const tables = `('r', 'p')`

/** Modes of a lock, from the weakest with which rows can be changed. */
export const lockModes = [
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const

/** `RowExclusiveLock`, as PostgreSQL's table of locks has it, is 1, and so on. */
const levelOfMode = lockModes
  .map((mode, index) => {
    const words = mode.split(' ').map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    return `when '${words.join('')}Lock' then ${index + 1}`
  })
  .join(' ')

/**
 * What was touched, as it was before the file. `open` opens a cursor over it, `close` fetches: only
 * then it runs, over the locks of that moment and the catalogs of the cursor's own snapshot. So it
 * costs nothing to remember, and what a file dropped has still a name.
 */
export function beforeFunction(s: string, schema: string, own: string): string {
  const isGuardedSpace = `(n.nspname = any (spaces) or '*' = any (spaces) and n.nspname !~ '^pg_'
          and n.nspname not in ('information_schema', ${literal(schema)}))`
  return `create or replace function ${s}.before(guarded oid[], spaces text[], allowances jsonb, earlier jsonb)
    returns jsonb language plpgsql stable ${own} as $$
    declare
      guards boolean := cardinality(guarded) > 0 or cardinality(spaces) > 0;
      renames boolean;
      relations jsonb;
      more jsonb;
    begin
      with held as materialized (
        select relation as oid, max(case mode ${levelOfMode} end) as level
        from pg_lock_status()
        where pid = pg_backend_pid() and locktype = 'relation'
          and (relation >= 16384 or relation = 'pg_namespace'::regclass)
        group by relation
      )
      select bool_or(held.oid < 16384),
        jsonb_agg(jsonb_build_array(
          held.oid, held.level, n.nspname, c.relname, c.relkind, c.relfilenode, c.relpersistence,
          c.relpages > 0 or c.reltuples > 0, root.oid,
          case when root.oid is not null then (
            select jsonb_object_agg(a.attnum, jsonb_build_array(a.attname, a.atttypid, a.atttypmod))
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end
        )) filter (where held.oid >= 16384)
      into renames, relations
      from held
        left join pg_class c on c.oid = held.oid
        left join pg_namespace n on n.oid = c.relnamespace
        left join lateral (
          -- The uppermost guarded table of the tree: rows may move below it.
          with recursive up (oid, depth) as (
            select c.oid, 0
            union all
            select i.inhparent, up.depth + 1 from up join pg_inherits i on i.inhrelid = up.oid
            where up.depth < 100
          )
          select up.oid
          from up join pg_class p on p.oid = up.oid join pg_namespace n on n.oid = p.relnamespace
          where up.oid = any (guarded) or ${isGuardedSpace}
            or n.nspname = ${literal(schema)} and p.relname in ('ledger', 'run', 'step')
              and (held.level > 1 or pg_stat_get_xact_tuples_deleted(p.oid) > 0)
          order by up.depth desc limit 1
        ) root on c.relkind in ${tables} and (guards or n.nspname = ${literal(schema)})
      where held.level > 0;
      -- A schema that gets another name locks no table.
      if guards and renames then
        select jsonb_agg(jsonb_build_array(
          c.oid, 0, n.nspname, c.relname, c.relkind, c.relfilenode, c.relpersistence, null, c.oid, null
        )) into more
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ${tables} and (c.oid = any (guarded) or ${isGuardedSpace});
      end if;
      return jsonb_build_array(coalesce(relations, '[]') || coalesce(more, '[]'), allowances, earlier);
    end $$`
}

/** The columns of what `before` tells, and the same now. */
export const wasAndIs = `(
      select (r ->> 0)::oid as oid, (r ->> 1)::int as level, r ->> 2 as space_was, r ->> 3 as name_was,
        r ->> 4 as kind_was, (r ->> 5)::oid as file_was, r ->> 6 as persistence_was,
        (r ->> 7)::boolean as had_rows, (r ->> 8)::oid as root, nullif(r -> 9, 'null') as columns_were
      from jsonb_array_elements(seen -> 0) as r
    ) as was
    left join pg_class c on c.oid = was.oid
    left join pg_namespace n on n.oid = c.relnamespace
    left join lateral (select seen -> 2 -> was.oid::text as figures) as earlier on true`

/** Figures of the transaction; PostgreSQL 14 adds those that it has not yet sent of earlier ones. */
export function figure(what: 'inserted' | 'updated' | 'deleted'): string {
  const at = { inserted: 0, updated: 1, deleted: 2 }[what]
  return `greatest(0, pg_stat_get_xact_tuples_${what}(was.oid) - coalesce((earlier.figures ->> ${at})::bigint, 0))`
}

/** What the file did, by table and by index, in plain words. */
export function effectsFunction(s: string, schema: string, own: string): string {
  const change = `case when kind_was is null then 'created' when c.oid is null then 'dropped'
        when file_was <> c.relfilenode then
          case when had_rows and pg_relation_size(c.oid) = 0 then 'truncated' else 'rewritten' end end`
  return `create or replace function ${s}.effects(seen jsonb) returns jsonb language plpgsql ${own} as $$
    begin
      return (
        with touched as materialized (
          select was.oid, was.level, coalesce(c.relkind::text, kind_was) as kind,
            format('%I.%I', coalesce(n.nspname, space_was), coalesce(c.relname, name_was)) as name,
            ${change} as change, was.root,
            nullif(${figure('inserted')}, 0) as inserted,
            nullif(${figure('updated')}, 0) as updated,
            nullif(${figure('deleted')}, 0) as deleted
          from ${wasAndIs}
          where was.level > 0 and coalesce(c.relkind::text, kind_was) in ('r', 'p', 'm', 'f', 'i', 'I')
            and coalesce(c.relpersistence::text, persistence_was) <> 't'
            and coalesce(n.nspname, space_was) <> ${literal(schema)}
            and coalesce(n.nspname, space_was) <> 'pg_toast'
        ), some_tables as (
          select *, row_number() over (order by deleted desc nulls last, change, oid) as rank from touched
          where kind not in ('i', 'I')
            and (change is not null or level > 1 or coalesce(inserted, updated, deleted) is not null)
        ), some_indexes as (
          select *, row_number() over (order by oid) as rank from touched
          where kind in ('i', 'I') and change is not null
        )
        select jsonb_strip_nulls(jsonb_build_object(
          'tables', (select jsonb_agg(jsonb_build_object(
              'table', name, 'oid', oid::bigint, 'change', change,
              'lock', case when change is distinct from 'created' then (${literal(`{${lockModes.join(',')}}`)}::text[])[level] end,
              'inserted', inserted, 'updated', updated, 'deleted', deleted, 'root', root::bigint
            ) order by rank) from some_tables where rank <= ${mostNamed}),
          'moreTables', (select nullif(greatest(count(*) - ${mostNamed}, 0), 0) from some_tables),
          'indexes', (select jsonb_agg(jsonb_build_object('index', name, 'change', change) order by rank)
            from some_indexes where rank <= ${mostNamed}),
          'moreIndexes', (select nullif(greatest(count(*) - ${mostNamed}, 0), 0) from some_indexes)
        ))
      );
    end $$`
}
