import { ledgerStates, raise } from './ledger-states.ts'
import { literal } from './quote.ts'

/** Numbers of the columns by which a row of a table can be found again; null where there are none. */
export function keyFunction(s: string, own: string): string {
  return `create or replace function ${s}.key(on_table oid) returns int2[] language plpgsql stable ${own} as $$
    begin
      return (
        select (i.indkey::int2[])[0:i.indnkeyatts - 1]
        from pg_index i
        where i.indrelid = on_table and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
          and not exists (
            select from pg_attribute a
            where a.attrelid = on_table and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
              and not a.attnotnull)
        order by i.indisprimary desc, i.indnkeyatts limit 1
      );
    end $$`
}

/** Exact mode, before the file: locks tables against other writers and keeps the keys of their rows. */
export function keepFunction(s: string, schema: string, own: string): string {
  return `create or replace function ${s}.keep(roots oid[], refilled oid[], mode text) returns void language plpgsql ${own} as $$
    declare
      root oid;
      keys text;
      whole text;
      last_column int;
    begin
      foreach root in array roots loop
        execute format('lock table %s in %s mode', root::regclass, mode);
      end loop;
      foreach root in array roots loop
        select string_agg(format('t.%I as k%s', attname, attnum), ', ' order by attnum)
            filter (where attnum = any (${s}.key(root))),
          string_agg(format('t.%I', attname), ', ' order by attnum), max(attnum)
        into keys, whole, last_column
        from pg_attribute where attrelid = root and attnum > 0 and not attisdropped;
        execute format(
          'create unlogged table %I.%I as select %s%s from %s as t', ${literal(schema)}, 'kept_' || root, keys,
          case when root = any (refilled) and keys is not null then
            format(', hashtextextended(row(%s)::text, 0) as h%s', whole, last_column) else '' end,
          root::regclass);
      end loop;
    exception when insufficient_privilege then
      ${raise(ledgerStates.unreadable, 'a guarded table cannot be read')};
    end $$`
}

/**
 * Exact mode, behind the file: how many kept rows are gone. Columns of a partition key are left out
 * where the rest is unique, since a row that moves changes them. A table that was truncated and
 * filled again has only the rows that are the same in every column. What has moved to a new child
 * that a crash, or the end of the session, empties is not found again.
 */
export function lostFunction(s: string, schema: string, own: string): string {
  return `create or replace function ${s}.lost(root oid, is_refilled boolean) returns bigint language plpgsql ${own} as $$
    declare
      kept regclass := format('%I.%I', ${literal(schema)}, 'kept_' || root);
      all_keys int;
      keys text;
      found_keys int;
      now_keys text;
      rest text;
      now_rest text;
      is_unique boolean;
      fleeting oid[];
      result bigint;
    begin
      with kept_columns as (
        select k.attname as k, substr(k.attname, 2)::int as attnum, k.atttypid from pg_attribute k
        where k.attrelid = kept and k.attname ~ '^k' and k.attnum > 0
      ), columns as (
        select k.attnum,
          case when a.atttypid = k.atttypid then format('%I', k.k) else format('%I::text', k.k) end as was,
          case when a.atttypid = k.atttypid then format('t.%I', a.attname) else format('t.%I::text', a.attname) end as is_now,
          a.attname in (
            select pa.attname from pg_partition_tree(root) tree
              join pg_partitioned_table p on p.partrelid = tree.relid
              join pg_attribute pa on pa.attrelid = p.partrelid and pa.attnum = any (p.partattrs)
          ) as cuts
        from kept_columns k
          join pg_attribute a on a.attrelid = root and a.attnum = k.attnum and not a.attisdropped
      )
      select (select count(*) from kept_columns), count(*),
        string_agg(was, ', ' order by attnum), string_agg(is_now, ', ' order by attnum),
        string_agg(was, ', ' order by attnum) filter (where not cuts),
        string_agg(is_now, ', ' order by attnum) filter (where not cuts)
      into all_keys, found_keys, keys, now_keys, rest, now_rest from columns;
      if keys is null or found_keys < all_keys then
        return null;
      end if;
      if rest is distinct from keys and rest is not null then
        execute format('select not exists (select from %s group by %s having count(*) > 1)', kept, rest) into is_unique;
        if is_unique then
          keys := rest;
          now_keys := now_rest;
        end if;
      end if;
      -- There is none where what was suspected is only a delete.
      if is_refilled and exists (select from pg_attribute where attrelid = kept and attname ~ '^h' and attnum > 0) then
        select keys || ', ' || h.attname,
          now_keys || ', hashtextextended(row(' || (
            select string_agg(format('t.%I', a.attname), ', ' order by a.attnum) from pg_attribute a
            where a.attrelid = root and a.attnum between 1 and substr(h.attname, 2)::int and not a.attisdropped
          ) || ')::text, 0)'
        into keys, now_keys
        from pg_attribute h where h.attrelid = kept and h.attname ~ '^h' and h.attnum > 0;
      end if;
      select array_agg(i.inhrelid) into fleeting
      from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relpersistence <> 'p' and age(i.xmin) <= 0;
      execute format(
        'select count(*) from (select %s from %s except all select %s from %s as t%s) as gone',
        keys, kept, now_keys, root::regclass,
        case when fleeting is not null then ' where t.tableoid <> all ($1)' else '' end) into result using fleeting;
      return result;
    end $$`
}

/** A rewrite keeps rows that nobody has inserted; behind a truncate all that is there was inserted. */
export function isRefilledFunction(s: string, own: string): string {
  return `create or replace function ${s}.is_refilled(rewritten jsonb) returns boolean language plpgsql ${own} as $$
    declare
      one jsonb;
      found_rows bigint;
    begin
      for one in select * from jsonb_array_elements(rewritten) loop
        execute format('select count(*) from only %s', (one ->> 0)::oid::regclass) into found_rows;
        if found_rows <= (one ->> 1)::bigint then
          return true;
        end if;
      end loop;
      return false;
    end $$`
}
