import { guardFunctions } from './guard-functions.ts'
import { lookBack, lookVariables } from './guard-look.ts'
import { watchFunction } from './guard-watch.ts'
import { ledgerStates, raise } from './ledger-states.ts'
import { identifier, literal } from './quote.ts'
import { stepFunctions } from './step-functions.ts'

/**
 * The format of the ledger that this program writes: within a major format only additions with
 * defaults come, which older programs can live with; a newer major one is refused.
 */
export const ledgerFormat = { major: 1, minor: 0 } as const

/**
 * What makes a ledger of this format out of nothing, one statement each; `docs/ledger.md` says what
 * the columns mean. Whatever is there already is left as it is, so that a first run that was cut
 * off, or an older minor format, is brought up to date by the same statements.
 */
export function ledgerStatements(schema: string): string[] {
  const s = identifier(schema)
  return [
    `create table if not exists ${s}.ledger (
      id bigint primary key,
      previous bigint not null unique,
      chained boolean not null,
      version numeric not null,
      name text not null unique,
      checksum text not null,
      meanings text[] not null default '{}',
      kind text not null default 'normal',
      how text not null,
      breaks_before numeric,
      over bigint[] not null default '{}',
      run text not null,
      started timestamptz not null default clock_timestamp(),
      finished timestamptz,
      flushed boolean not null default true,
      guard jsonb,
      effects jsonb,
      digests text not null default ''
    )`,
    `create table if not exists ${s}.step (
      file text not null,
      ordinal integer not null,
      meaning text not null,
      state text not null,
      before jsonb,
      did jsonb,
      primary key (file, ordinal)
    )`,
    `create table if not exists ${s}.run (
      id text primary key,
      set_checksum text not null,
      phase text,
      state text not null,
      file_begun text,
      exit_code integer,
      reason text,
      pod text,
      image text,
      role text not null default current_user,
      started timestamptz not null default clock_timestamp(),
      finished timestamptz
    )`,
    ...ledgerFunctions(schema),
  ]
}

/**
 * Functions run inside each file's transaction. Their `search_path` is their own, since the file's
 * may be hostile, and a generic plan is kept: plpgsql would plan anew each time.
 */
function ledgerFunctions(schema: string): string[] {
  const s = identifier(schema)
  const own = 'set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan'
  return [
    // The fence, and the row of the file. A row whose predecessor is not there has no `chained`.
    `create or replace function ${s}.open(
      lock_key bigint, new_id bigint, new_previous bigint, new_version numeric, new_name text,
      new_checksum text, new_meanings text[], new_kind text, new_how text, new_breaks_before numeric,
      new_over bigint[], new_run text, new_digests text, new_flushed boolean
    ) returns void language plpgsql ${own} as $$
    begin
      if not pg_try_advisory_xact_lock(lock_key) then
        ${raise(ledgerStates.lockTaken, 'another session holds the lock')};
      end if;
      if exists (select from ${s}.ledger where name = new_name) then
        ${raise(ledgerStates.alreadyApplied, 'the file has been applied meanwhile')};
      end if;
      insert into ${s}.ledger (
        id, previous, chained, version, name, checksum, meanings, kind, how, breaks_before, over, run,
        digests, flushed
      ) values (
        new_id, new_previous,
        case new_previous when 0 then true else (select true from ${s}.ledger where id = new_previous) end,
        new_version, new_name, new_checksum, new_meanings, new_kind, new_how, new_breaks_before,
        new_over, new_run, new_digests, new_flushed
      );
    end $$`,
    watchFunction(s, schema, own),
    // The rows must still be this transaction's own: a COMMIT in the file would have made them another's.
    `create or replace function ${s}.close(
      first_id bigint, last_id bigint, guards boolean default false, exact oid[] default null
    ) returns jsonb language plpgsql ${own} as $$
    declare${lookVariables}
      closed bigint;
    begin
      ${lookBack(s, schema)}
      update ${s}.ledger
      set finished = clock_timestamp(),
        effects = case when id = last_id then did end,
        guard = case when id = last_id then verdict end
      where id between first_id and last_id
        and finished is null
        and xmin = pg_current_xact_id()::xid;
      get diagnostics closed = row_count;
      if closed <> last_id - first_id + 1 then
        ${raise(ledgerStates.rowGone, 'the row of the file is not as it was opened')};
      end if;
      return jsonb_build_object('effects', did, 'guard', verdict);
    end $$`,
    ...stepFunctions(schema, own),
    // Never called in a run that goes well: see the cursor in envelope.ts.
    `create or replace function ${s}.held() returns void language plpgsql ${own} as $$
    begin
      ${raise(ledgerStates.transactionEnded, 'the file ends its transaction itself')};
    end $$`,
    ...guardFunctions(schema, own),
    `create or replace function ${s}.format() returns text language sql immutable as $$
      select ${literal(`${ledgerFormat.major}.${ledgerFormat.minor}`)}::text
    $$`,
  ]
}

/** A statement that fails unless nobody else has the lock: before the functions are there. */
export function fence(lockKey: bigint): string {
  return `do $$ begin
    if not pg_catalog.pg_try_advisory_xact_lock(${lockKey}) then
      ${raise(ledgerStates.lockTaken, 'another session holds the lock')};
    end if;
  end $$`
}
