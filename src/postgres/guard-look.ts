import { ledgerStates, raise } from './ledger-states.ts'
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
 * Begins to watch a transaction: opens a cursor, from which `close` fetches what was touched.
 */
export function watchFunction(s: string, schema: string, own: string): string {
  const touched = touchedBefore(schema)
  return `create or replace function ${s}.watch(
      guarded oid[], spaces text[], allowances jsonb, of_file text default null
    ) returns void language plpgsql ${own} as $$
    declare
      look refcursor := 'lockstep_before';
      earlier jsonb;
      spent jsonb;
    begin
      -- What earlier transactions of the session did may not have been sent yet: from PostgreSQL 15 on
      -- only what the ledger itself has done, since each file sends its own.
      select jsonb_object_agg(oid, jsonb_build_array(
        pg_stat_get_xact_tuples_inserted(oid), pg_stat_get_xact_tuples_updated(oid),
        pg_stat_get_xact_tuples_deleted(oid))) into earlier
      from (
        select unnest(array[${['ledger', 'step', 'run'].map((table) => `to_regclass(${literal(`${s}.${table}`)})`).join(', ')}])::oid as oid
        union
        select (touched ->> 'oid')::oid
        from (
          select effects from ${s}.ledger
          where id > (select max(id) - 100 from ${s}.ledger) and finished > clock_timestamp() - interval '5 s'
          union all
          select did -> 'effects' from ${s}.step where did is not null
        ) as recent (effects), jsonb_array_elements(effects -> 'tables') as touched
        where current_setting('server_version_num')::int < 150000
      ) as known;
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
function touchedBefore(schema: string): { guarded: string; unguarded: string } {
  const own = literal(schema)
  const isOwn = `n.nspname = ${own} and c.relname in ('ledger', 'run', 'step')
        and (held.level > 1 or pg_stat_get_xact_tuples_deleted(c.oid) > 0)`
  const isGuardedSpace = `(n.nspname = any (spaces) or '*' = any (spaces) and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', ${own}))`
  const root = `case when ${isOwn} then c.oid when c.relkind in ${tables} then (
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
  // A schema that gets another name locks none of its tables.
  const inSchemas = `case when held.oid = 'pg_namespace'::regclass then (
        select jsonb_agg(jsonb_build_array(
          c.oid, 0, n.nspname, c.relname, c.relkind, c.relfilenode, c.relpersistence, c.oid, null))
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
      c.relpages > 0 or c.reltuples > 0 as had_rows, ${more}, allowances, earlier, spent
    from (
        select relation as oid, max(case mode ${levelOfMode} end) as level
        from pg_lock_status()
        where locktype = 'relation' and pid = pg_backend_pid()
          and (relation >= 16384 or relation = 'pg_namespace'::regclass)
        group by relation
      ) as held
      left join pg_class c on c.oid = held.oid
      left join pg_namespace n on n.oid = c.relnamespace
    where held.level > 0`
}

/** Variables of `close` that the look needs. */
export const lookVariables = `
      look refcursor := 'lockstep_before';
      has_look boolean;
      was record;
      is_now record;
      is_there boolean;
      kind "char";
      change text;
      name text;
      inserted bigint;
      updated bigint;
      deleted bigint;
      some_tables jsonb := '[]';
      some_indexes jsonb := '[]';
      more_tables int := 0;
      more_indexes int := 0;
      guarded jsonb := '[]';
      allowances jsonb;
      earlier jsonb;
      spent jsonb;
      is_suspicious boolean := false;
      is_altered boolean := false;
      did jsonb;
      verdict jsonb;`

/** Fetches what was touched, tells the effects, and asks the judge where a guarded table looks suspicious. */
export function lookBack(s: string, schema: string): string {
  const own = literal(schema)
  return `
      has_look := exists (select from pg_cursor() as c where c.name = 'lockstep_before');
      if guards and not has_look then
        -- The file has closed it: nobody can look back.
        ${raise(ledgerStates.violated, 'the file closes all cursors')};
      end if;
      while has_look loop
        fetch look into was;
        exit when not found;
        -- Of an index only what DDL does is told; the ledger's own relations are our own work.
        continue when was.kind in ('i', 'I') and was.level < ${lockModes.length}
          or was.space = ${own} and was.root is null;
        allowances := was.allowances;
        earlier := was.earlier;
        spent := was.spent;
        -- A trigger or a rule would run behind the look.
        is_altered := is_altered or was.space = ${own} and was.level >= ${lockModes.indexOf('SHARE') + 1};
        if was.in_schemas is not null then
          guarded := guarded || was.in_schemas;
          is_suspicious := true;
        end if;
        continue when was.oid < 16384;
        select n.nspname as space, c.relname as name, c.relkind as kind, c.relfilenode as file,
          c.relpersistence as persistence
        into is_now from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = was.oid;
        -- Until PostgreSQL 15 a rule can make a view of a table.
        is_there := found and is_now.kind = coalesce(was.kind, is_now.kind);
        kind := coalesce(was.kind, is_now.kind);
        continue when kind is null or kind not in ('r', 'p', 'm', 'f', 'i', 'I')
          or coalesce(is_now.persistence, was.persistence) = 't' or coalesce(is_now.space, was.space) in ('pg_toast', ${own})
            and was.root is null;
        name := format('%I.%I', coalesce(is_now.space, was.space), coalesce(is_now.name, was.name));
        change := case when was.kind is null then 'created' when not is_there then 'dropped'
          when was.file <> is_now.file then
            case when was.had_rows and pg_relation_size(was.oid) = 0 then 'truncated' else 'rewritten' end end;
        if kind in ('i', 'I') then
          if change is not null and jsonb_array_length(some_indexes) < ${mostNamed} then
            some_indexes := some_indexes || jsonb_build_object('index', name, 'change', change);
          elsif change is not null then
            more_indexes := more_indexes + 1;
          end if;
          continue;
        end if;
        inserted := nullif(greatest(0, pg_stat_get_xact_tuples_inserted(was.oid)
          - coalesce((earlier -> was.oid::text ->> 0)::bigint, 0)), 0);
        updated := nullif(greatest(0, pg_stat_get_xact_tuples_updated(was.oid)
          - coalesce((earlier -> was.oid::text ->> 1)::bigint, 0)), 0);
        deleted := nullif(greatest(0, pg_stat_get_xact_tuples_deleted(was.oid)
          - coalesce((earlier -> was.oid::text ->> 2)::bigint, 0)), 0);
        if was.root is not null then
          guarded := guarded || jsonb_build_array(jsonb_build_array(was.oid, was.level, was.space, was.name,
            was.kind, was.file, was.persistence, was.root, was.columns));
          is_suspicious := is_suspicious or deleted > 0 or not is_there or was.file <> is_now.file
            or was.level > 1 and (was.oid <> was.root or was.kind <> is_now.kind or was.name <> is_now.name
              or was.space <> is_now.space or was.persistence <> is_now.persistence
              or exists (
                select from jsonb_object_keys(was.columns) as c (number)
                where not exists (
                  select from pg_attribute a
                  where a.attrelid = was.oid and a.attnum = c.number::int and not a.attisdropped)));
        end if;
        if was.space = ${own} or change is null and was.level = 1 and coalesce(inserted, updated, deleted) is null then
          continue;
        elsif jsonb_array_length(some_tables) >= ${mostNamed} and deleted is null then
          more_tables := more_tables + 1;
        else
          some_tables := some_tables || jsonb_strip_nulls(jsonb_build_object(
            'table', name, 'oid', was.oid::bigint, 'change', change,
            'lock', case when was.kind is not null then (${literal(`{${lockModes.join(',')}}`)}::text[])[was.level] end,
            'inserted', inserted, 'updated', updated, 'deleted', deleted, 'root', was.root::bigint));
        end if;
      end loop;
      if is_suspicious or exact is not null then
        if exists (
          select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where n.nspname = ${own} and p.proname in ('judge', 'is_own', 'key', 'keep', 'is_refilled', 'lost')
            and age(p.xmin) <= 0
        ) then
          ${raise(ledgerStates.altered, 'the file changes a function of the ledger')};
        end if;
        verdict := ${s}.judge(jsonb_build_array(guarded, allowances, earlier, spent), exact);
        if verdict -> 'suspects' <> '[]' then
          raise exception using errcode = ${literal(ledgerStates.suspected)},
            message = 'rows of a guarded table may be lost', detail = verdict::text;
        elsif verdict -> 'violations' <> '[]' then
          raise exception using errcode = ${literal(ledgerStates.violated)},
            message = 'a guarded table would lose', detail = verdict::text;
        end if;
        verdict := nullif(verdict -> 'allowed', '[]');
      end if;
      if is_altered then
        ${raise(ledgerStates.altered, 'the file changes the ledger')};
      end if;
      did := case when has_look then jsonb_strip_nulls(jsonb_build_object(
        'transactionMs', round(extract(epoch from clock_timestamp() - now()) * 1000, 3),
        'tables', nullif(some_tables, '[]'), 'moreTables', nullif(more_tables, 0),
        'indexes', nullif(some_indexes, '[]'), 'moreIndexes', nullif(more_indexes, 0))) end;`
}

/** The columns of what was touched before, and the same now. */
export const wasAndIs = `(
      select (r ->> 0)::oid as oid, (r ->> 1)::int as level, r ->> 2 as space_was, r ->> 3 as name_was,
        r ->> 4 as kind_was, (r ->> 5)::oid as file_was, r ->> 6 as persistence_was,
        (r ->> 7)::oid as root, nullif(r -> 8, 'null') as columns_were
      from jsonb_array_elements(seen -> 0) as r
    ) as was
    left join pg_class c on c.oid = was.oid
    left join pg_namespace n on n.oid = c.relnamespace
    left join lateral (select seen -> 2 -> was.oid::text as figures) as earlier on true`

/** Figures of the transaction; PostgreSQL 14 adds those that it has not yet sent of earlier ones. */
export function figure(what: 'inserted' | 'deleted'): string {
  const at = { inserted: 0, deleted: 2 }[what]
  return `greatest(0, pg_stat_get_xact_tuples_${what}(was.oid) - coalesce((earlier.figures ->> ${at})::bigint, 0))`
}
