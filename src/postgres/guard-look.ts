import { ledgerStates, raise } from './ledger-states.ts'
import { touchedBefore } from './guard-watch.ts'
import { lockModes } from './lock-modes.ts'
import { literal } from './quote.ts'

/** Effects of a file name so many tables, and so many indexes; the rest is counted. */
const mostNamed = 100

/** Of the ledger: a file that changes one, or makes another of the same name, could blind the guard. */
const functionNames =
  'format open watch close held step steps_end summed key keep is_refilled lost is_own judge'
    .split(' ')
    .map(literal)
    .join(', ')

/** Variables of `close` that the look needs. */
export const lookVariables = `
      look refcursor := 'lockstep_before';
      has_look boolean;
      left_of_look bigint;
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
      held_before jsonb;
      own_level int;
      is_suspicious boolean := false;
      is_altered boolean := false;
      did jsonb;
      verdict jsonb;`

/** Fetches what was touched, tells the effects, and asks the judge where a guarded table looks suspicious. */
export function lookBack(s: string, schema: string): string {
  const own = literal(schema)
  const looks = touchedBefore(schema)
  return `
      -- Nobody can look back where the file has closed the cursor, put another in its place, or moved it:
      -- then there is not the last of its rows.
      has_look := exists (select from pg_cursor() as c where c.name = 'lockstep_before'
        and c.statement in (${literal(looks.guarded)}, ${literal(looks.unguarded)}));
      while has_look loop
        fetch look into was;
        exit when not found;
        left_of_look := coalesce(left_of_look, was.total) - 1;
        -- Of an index only what DDL does is told; the ledger's own relations are our own work.
        continue when was.kind in ('i', 'I') and was.level < ${lockModes.length}
          or was.space = ${own} and was.root is null;
        allowances := was.allowances;
        earlier := was.earlier;
        spent := was.spent;
        held_before := was.held_before;
        own_level := case when was.level > coalesce((held_before ->> was.oid::text)::int, 0) then was.level end;
        -- A trigger or a rule would run behind the look, and those of a child with them.
        if was.space = ${own} and own_level > 1 then
          is_altered := is_altered or own_level >= ${lockModes.indexOf('SHARE') + 1}
            or exists (select from pg_inherits where inhparent = was.oid);
        end if;
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
          is_suspicious := is_suspicious or deleted > 0 or not is_there or was.file <> is_now.file;
          -- What only a stronger lock lets happen takes a query.
          if was.level > 1 then
            is_suspicious := is_suspicious or was.oid <> was.root or was.name <> is_now.name or was.space <> is_now.space
              or exists (
                select from jsonb_object_keys(was.columns) as c (number)
                where not exists (
                  select from pg_attribute a
                  where a.attrelid = was.oid and a.attnum = c.number::int and not a.attisdropped));
          end if;
        end if;
        if was.space = ${own} or change is null and coalesce(own_level, 1) = 1 and coalesce(inserted, updated, deleted) is null then
          continue;
        elsif jsonb_array_length(some_tables) >= ${mostNamed} and deleted is null then
          more_tables := more_tables + 1;
        else
          some_tables := some_tables || jsonb_strip_nulls(jsonb_build_object(
            'table', name, 'oid', was.oid::bigint, 'change', change,
            'lock', case when was.kind is not null then (${literal(`{${lockModes.join(',')}}`)}::text[])[own_level] end,
            'inserted', inserted, 'updated', updated, 'deleted', deleted, 'root', was.root::bigint));
        end if;
      end loop;
      -- At least the ledger itself was touched.
      if guards and left_of_look is distinct from 0 then
        ${raise(ledgerStates.violated, 'the look back is gone')};
      end if;
      -- Those that run here, and those that would run with the next file. A rehearsal may have made the ledger itself.
      if guards and exists (
        select from pg_proc p
        where p.pronamespace = ${literal(s)}::regnamespace and p.proname in (${functionNames}) and age(p.xmin) <= 0
      ) and (held_before is null or (select age(c.xmin) > 0 from pg_class c where c.oid = ${literal(`${s}.ledger`)}::regclass)) then
        ${raise(ledgerStates.altered, 'the file changes a function of the ledger')};
      end if;
      if is_suspicious or exact is not null then
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
      select distinct on ((r ->> 0)::oid) (r ->> 0)::oid as oid, (r ->> 1)::int as level, r ->> 2 as space_was, r ->> 3 as name_was,
        r ->> 4 as kind_was, (r ->> 5)::oid as file_was, r ->> 6 as persistence_was,
        (r ->> 7)::oid as root, nullif(r -> 8, 'null') as columns_were
      from jsonb_array_elements(seen -> 0) as r
      -- A schema that gets another name tells of its tables once more, at level 0.
      order by (r ->> 0)::oid, level desc
    ) as was
    left join pg_class c on c.oid = was.oid
    left join pg_namespace n on n.oid = c.relnamespace
    left join lateral (select seen -> 2 -> was.oid::text as figures) as earlier on true`

/** Figures of the transaction; PostgreSQL 14 adds those that it has not yet sent of earlier ones. */
export function figure(what: 'inserted' | 'deleted'): string {
  const at = { inserted: 0, deleted: 2 }[what]
  return `greatest(0, pg_stat_get_xact_tuples_${what}(was.oid) - coalesce((earlier.figures ->> ${at})::bigint, 0))`
}
