import { figure, wasAndIs } from './guard-look.ts'
import { literal } from './quote.ts'

/**
 * Findings in the rows that `before` has told: those that the file allows, those that it does not,
 * and losses of rows that only exact mode can tell.
 *
 * @param exact - tables whose kept keys decide
 */
export function judgeFunction(s: string, schema: string, own: string): string {
  const isEmptied = 'pg_relation_size(c.oid) = 0'
  return `create or replace function ${s}.judge(seen jsonb, exact oid[]) returns jsonb language plpgsql ${own} as $$
    declare
      found record;
      lost_rows jsonb := '{}';
      permitted boolean;
      bound bigint;
      spent bigint;
      decided boolean;
      is_exact boolean;
      result jsonb := '{"allowed": [], "violations": [], "suspects": []}';
      verdict text;
      root_oid oid;
      cascade_from text;
    begin
      for found in
        with seen_tables as materialized (
          select was.*, coalesce(c.relkind::text <> kind_was, c.oid is null and level > 0) as is_gone,
            format('%I.%I', space_was, name_was) as full_name_was, case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end as full_name,
            c.relpersistence, file_was <> c.relfilenode as is_rewritten,
            case when file_was <> c.relfilenode then ${isEmptied} end as is_emptied,
            ${figure('inserted')} as inserted, ${figure('deleted')} as deleted
          from ${wasAndIs}
          where was.root is not null
        ), columns_now as (
          select t.oid, t.root, w.key as attnum, w.value ->> 0 as name, a.attnum is null as is_dropped,
            t.is_rewritten and (a.atttypid::text <> w.value ->> 1 or a.atttypmod::text <> w.value ->> 2) as is_retyped
          from seen_tables t, jsonb_each(t.columns_were) w
            left join lateral (
              select * from pg_attribute a where a.attrelid = t.oid and a.attnum = w.key::int and not a.attisdropped
            ) a on true
          where not t.is_gone
        ), findings as (
          select root, oid, 'drop' as what, null::bigint as rows, null as column_name from seen_tables where is_gone
          union all
          select root, oid, 'rename', null, null from seen_tables
            where not is_gone and oid = root and full_name <> full_name_was
          union all
          select root, oid, 'detach', null, null from seen_tables t
            where not is_gone and not exists (
              with recursive up (oid) as (
                select t.oid union select i.inhparent from up join pg_inherits i on i.inhrelid = up.oid
              ) select from up where up.oid = t.root)
          union all
          select root, oid, 'unlogged', null, null from seen_tables
            where relpersistence = 'u' and persistence_was = 'p'
          union all
          select root, oid, 'drop-column', null, name from columns_now where is_dropped
          union all
          select root, oid, 'retype', null, name from columns_now where is_retyped
          union all
          select root, oid, 'delete', deleted, null from seen_tables where not is_gone and deleted > 0
          union all
          select root, oid, 'truncate', null, null from seen_tables
            where is_rewritten and (inserted > 0 or is_emptied)
        )
        select f.root, f.what, sum(f.rows)::bigint as rows, array_agg(distinct f.oid) as oids,
          jsonb_agg(distinct f.column_name) filter (where f.column_name is not null) as columns,
          (select max(level) from seen_tables t where t.root = f.root) as level,
          coalesce(
            (select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where c.oid = f.root and f.what <> 'rename'),
            (select full_name_was from seen_tables t where t.oid = f.root)) as name,
          (select jsonb_agg(distinct full_name_was) from seen_tables t
            where t.oid = any (array_agg(f.oid)) and t.oid <> f.root) as parts,
          (select jsonb_agg(jsonb_build_array(t.oid, t.inserted)) from seen_tables t
            where t.root = f.root and t.is_rewritten) as rewritten
        from findings f group by f.root, f.what order by f.root, f.what
      loop
        decided := found.root = any (exact);
        is_exact := false;
        if found.what in ('delete', 'truncate') and decided then
          if not lost_rows ? found.root::text then
            lost_rows := lost_rows || jsonb_build_object(found.root, ${s}.lost(found.root, ${s}.is_refilled(found.rewritten)));
          end if;
          -- Null where the key is gone: then the counters must do, and it is not exact.
          is_exact := lost_rows ->> found.root::text is not null;
          if is_exact then
            found.rows := (lost_rows ->> found.root::text)::bigint;
            continue when found.rows = 0;
          end if;
        end if;
        select count(*) > 0, case when bool_and(a ? 'atMost') then max((a ->> 'atMost')::bigint) end
        into permitted, bound
        from jsonb_array_elements(seen -> 1) a
        where a -> 'words' ? found.what
          and ((a ->> 'on')::oid = found.root or array[(a ->> 'on')::oid] @> found.oids);
        -- A bound is for all statements of a file that runs them one by one.
        spent := coalesce((select sum((loss ->> 'rows')::bigint) from jsonb_array_elements(nullif(seen -> 3, 'null')) loss
          where (loss ->> 'oid')::oid = found.root and loss ->> 'what' = found.what), 0);
        -- The ledger itself is never left to a file.
        permitted := permitted and not ${s}.is_own(found.root);
        if permitted and (bound is null or found.rows + spent <= bound) then
          verdict := 'allowed';
        elsif found.what not in ('delete', 'truncate') or decided
            or ${s}.is_own(found.root) or ${s}.key(found.root) is null then
          verdict := 'violations';
        else
          verdict := 'suspects';
        end if;
        cascade_from := null;
        if found.what = 'delete' then
          with recursive up (oid, depth) as (
            select unnest(found.oids || found.root), 0
            union
            select f.confrelid, up.depth + 1 from up join pg_constraint f on f.conrelid = up.oid
            where f.confdeltype = 'c' and up.depth < 20
              and pg_stat_get_xact_tuples_deleted(f.confrelid) > 0
          )
          select format('%I.%I', n.nspname, c.relname) into cascade_from
          from up join pg_class c on c.oid = up.oid join pg_namespace n on n.oid = c.relnamespace
          where up.oid <> all (found.oids || found.root) order by up.depth desc limit 1;
        end if;
        result := jsonb_set(result, array[verdict], (result -> verdict) || jsonb_strip_nulls(jsonb_build_object(
          'oid', found.root::bigint, 'table', found.name, 'what', found.what, 'rows', found.rows,
          'columns', found.columns, 'parts', found.parts, 'cascadeFrom', cascade_from, 'isExact', is_exact,
          'hasKey', ${s}.key(found.root) is not null, 'isOwn', ${s}.is_own(found.root), 'level', found.level)));
      end loop;
      foreach root_oid in array coalesce(exact, '{}') loop
        execute format('drop table %I.%I', ${literal(schema)}, 'kept_' || root_oid);
      end loop;
      return result;
    end $$`
}

export function isOwnFunction(s: string, schema: string, own: string): string {
  return `create or replace function ${s}.is_own(relation oid) returns boolean language plpgsql stable ${own} as $$
    begin
      return exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.oid = relation and n.nspname = ${literal(schema)});
    end $$`
}
