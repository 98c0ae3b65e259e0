import { levelOfMode } from './lock-modes.ts'
import { literal } from './quote.ts'

/** Of `pg_class.relkind`: what has rows that a file can lose. */
const tables = `('r', 'p')`

/** The strongest lock of the transaction on each relation. */
const ownLocks = `
        select relation, max(case mode ${levelOfMode} end)
        from pg_lock_status()
        where locktype = 'relation' and pid = pg_backend_pid()
          and (relation >= 16384 or relation = 'pg_namespace'::regclass)
        group by relation`

/**
 * Begins to watch a transaction: opens a cursor, from which `close` fetches what was touched.
 */
export function watchFunction(s: string, schema: string, own: string): string {
  const touched = touchedBefore(schema)
  return `create or replace function ${s}.watch(
      guarded oid[], spaces text[], allowances jsonb, of_file text default null, is_again boolean default false
    ) returns void language plpgsql ${own} as $$
    declare
      look refcursor := 'lockstep_before';
      earlier jsonb;
      spent jsonb;
      held_before jsonb;
    begin
      -- What earlier transactions of the session did may not have been sent yet. From PostgreSQL 15 on
      -- that is only what the ledger itself has done, since each file sends its own.
      earlier := jsonb_build_object(${ownTables.map((table) => ownDeleted(s, table)).join(', ')});
      if current_setting('server_version_num')::int < 150000 then
        select earlier || coalesce(jsonb_object_agg(oid, jsonb_build_array(
          pg_stat_get_xact_tuples_inserted(oid), pg_stat_get_xact_tuples_updated(oid),
          pg_stat_get_xact_tuples_deleted(oid))), '{}') into earlier
        from (
          select distinct (touched ->> 'oid')::oid as oid
          from (
            select effects from ${s}.ledger
            where id > (select max(id) - 100 from ${s}.ledger) and finished > clock_timestamp() - interval '5 s'
            union all
            select did -> 'effects' from ${s}.step where did is not null
          ) as recent (effects), jsonb_array_elements(effects -> 'tables') as touched
        ) as known;
      end if;
      -- In a rehearsal files before it are in the same transaction, with their figures and their locks.
      if is_again then
        select jsonb_object_agg(relation, level),
          earlier || jsonb_object_agg(relation, jsonb_build_array(
            pg_stat_get_xact_tuples_inserted(relation), pg_stat_get_xact_tuples_updated(relation),
            pg_stat_get_xact_tuples_deleted(relation)))
        into held_before, earlier
        from (${ownLocks}) as locked (relation, level);
      end if;
      if of_file is not null then
        select jsonb_agg(loss) into spent
        from ${s}.step, jsonb_array_elements(nullif(did -> 'guard', 'null')) as loss where file = of_file;
      end if;
      -- Two forms, since most of what the first one brings takes time to begin with.
      if cardinality(guarded) > 0 or cardinality(spaces) > 0 then
        open look for ${touched.guarded};
      else
        open look for ${touched.unguarded};
      end if;
    end $$`
}

const ownTables = ['ledger', 'step', 'run'] as const

/** A key and figures: inserted and updated are not asked for. */
function ownDeleted(s: string, table: string): string {
  const oid = `${literal(`${s}.${table}`)}::regclass::oid`
  return `${oid}, jsonb_build_array(0, 0, pg_stat_get_xact_tuples_deleted(${oid}))`
}

/**
 * What the transaction has touched, as it was before the file: by the locks that it holds, since
 * without one above ROW SHARE nothing happened to a table, a savepoint that is rolled back gives its
 * locks back, and the number of tables costs nothing.
 *
 * `watch` opens a cursor for it, `close` fetches from it: only then it runs, over the locks of that
 * moment and the catalogs of the cursor's own snapshot. So nothing need be remembered, and what a
 * file has dropped still has a name. The cursor also carries what `watch` was told, out of
 * reach of the file.
 */
export function touchedBefore(schema: string): { guarded: string; unguarded: string } {
  const own = literal(schema)
  const isOwn = `n.nspname = ${own} and (held.level > 1 or pg_stat_get_xact_tuples_deleted(c.oid) > 0)`
  const isGuardedSpace = `(n.nspname = any (spaces) or '*' = any (spaces))`
  const root = `case when ${isOwn} then c.oid
      when c.relkind in ${tables} and not exists (select from pg_inherits where inhrelid = c.oid) then
        case when c.oid = any (guarded) or ${isGuardedSpace} then c.oid end
      when c.relkind in ${tables} then (
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
        order by up.depth desc limit 1
      ) end`
  // Only with a stronger lock a column can have gone.
  const columns = `case when held.level > 1 and c.relkind in ${tables} then (
        select jsonb_object_agg(a.attnum, jsonb_build_array(a.attname, a.atttypid, a.atttypmod))
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ) end`
  // A schema that gets another name locks none of its tables: what else happens to them others do.
  const inSchemas = `case when held.oid = 'pg_namespace'::regclass then (
        select jsonb_agg(jsonb_build_array(
          c.oid, 0, n.nspname, c.relname, null, null, null, c.oid, null))
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ${tables} and (c.oid = any (guarded) or ${isGuardedSpace})
      ) end`
  return {
    guarded: look(`${root} as root, ${columns} as columns, ${inSchemas} as in_schemas`),
    unguarded: look(
      `case when ${isOwn} then c.oid end as root, null::jsonb as columns, null::jsonb as in_schemas`,
    ),
  }
}

/** @param more - columns that cost something */
function look(more: string): string {
  return `
    select held.oid, held.level, n.nspname as space, c.relname as name, c.relkind as kind,
      c.relfilenode as file, c.relpersistence as persistence,
      c.relpages > 0 or c.reltuples > 0 as had_rows, ${more}, allowances, earlier, spent, held_before,
      count(*) over () as total
    from (
        ${ownLocks}
      ) as held (oid, level)
      left join pg_class c on c.oid = held.oid
      left join pg_namespace n on n.oid = c.relnamespace
    where held.level > 0`.trim()
}
