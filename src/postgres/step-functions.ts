import { lockModes } from './lock-modes.ts'
import { ledgerStates, raise } from './ledger-states.ts'
import { identifier, literal } from './quote.ts'

/**
 * The functions for files that run statement by statement.
 *
 * @param own - what each function sets for itself
 */
export function stepFunctions(schema: string, own: string): string[] {
  const s = identifier(schema)
  return [
    // The fence, and the row of one statement.
    `create or replace function ${s}.step(
      lock_key bigint, new_file text, new_ordinal integer, new_meaning text, new_state text, new_before jsonb
    ) returns void language plpgsql ${own} as $$
    begin
      if not pg_try_advisory_xact_lock(lock_key) then
        ${raise(ledgerStates.lockTaken, 'another session holds the lock')};
      end if;
      if exists (select from ${s}.ledger where name = new_file) then
        ${raise(ledgerStates.alreadyApplied, 'the file has been applied meanwhile')};
      end if;
      if (select count(*) from ${s}.step where file = new_file and state = 'done') <> new_ordinal - 1 then
        ${raise(ledgerStates.stepMoved, 'the statements before it are not done')};
      end if;
      insert into ${s}.step (file, ordinal, meaning, state, before)
      values (new_file, new_ordinal, new_meaning, new_state, new_before);
    end $$`,
    // With the row of the file its steps have served: they tell only of files that are half done.
    `create or replace function ${s}.steps_end(of_file text, expected bigint, row_id bigint)
    returns jsonb language plpgsql ${own} as $$
    declare
      ended bigint;
      dids jsonb;
      told jsonb;
    begin
      with gone as (
        delete from ${s}.step where file = of_file returning ordinal, did
      )
      select count(*), jsonb_agg(did order by ordinal) filter (where did is not null)
      into ended, dids from gone;
      if ended <> expected then
        ${raise(ledgerStates.stepMoved, 'the steps of the file are not those that were done')};
      end if;
      update ${s}.ledger set effects = summed -> 'effects', guard = nullif(summed -> 'guard', 'null')
      from ${s}.summed(coalesce(dids, '[]')
        || (select jsonb_build_object('effects', l.effects, 'guard', l.guard) from ${s}.ledger l where l.id = row_id)) as summed
      where id = row_id
      returning summed into told;
      return told;
    end $$`,
    // Of a table that is there several times the rows are summed; what became of it, the last tells.
    `create or replace function ${s}.summed(dids jsonb) returns jsonb language plpgsql ${own} as $$
    begin
      return (
        with effects as (
          select number, did -> 'effects' as effect, did -> 'guard' as guard
          from jsonb_array_elements(dids) with ordinality as d (did, number)
        ), tables as (
          select jsonb_strip_nulls(jsonb_build_object(
            'table', (array_agg(t -> 'table' order by number desc))[1], 'oid', t -> 'oid',
            'change', (array_agg(t -> 'change' order by number desc) filter (where t ? 'change'))[1],
            'lock', (${literal(`{${lockModes.join(',')}}`)}::text[])[
              max(array_position(${literal(`{${lockModes.join(',')}}`)}, t ->> 'lock'))],
            'inserted', sum((t ->> 'inserted')::bigint), 'updated', sum((t ->> 'updated')::bigint),
            'deleted', sum((t ->> 'deleted')::bigint),
            'root', (array_agg(t -> 'root') filter (where t ? 'root'))[1])) as summed
          from effects, jsonb_array_elements(effect -> 'tables') as t
          group by t -> 'oid' order by min(number)
        )
        select jsonb_build_object(
          'effects', jsonb_strip_nulls(jsonb_build_object(
            'transactionMs', sum((effect ->> 'transactionMs')::numeric),
            'tables', (select jsonb_agg(summed) from tables),
            'moreTables', sum((effect ->> 'moreTables')::int),
            'indexes', (select jsonb_agg(i order by e.number) from effects e, jsonb_array_elements(e.effect -> 'indexes') as i),
            'moreIndexes', sum((effect ->> 'moreIndexes')::int))),
          'guard', (select jsonb_agg(g order by e.number) from effects e, jsonb_array_elements(nullif(e.guard, 'null')) as g))
        from effects
      );
    end $$`,
  ]
}
