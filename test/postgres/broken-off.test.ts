import { again, done, testBrokenOff, type BrokenOff } from '../support/broken-off.ts'

const setup = [
  `
  create table leads (id int, email text);
  create index old_index on leads (id);
  create table parent (id int) partition by range (id);
  create table part partition of parent for values from (0) to (10);
  create index part_index on part (id);
  cluster part using part_index;
  create schema own; create table own.things (id int primary key);
  insert into leads select n, n::text from generate_series(1, 100) as n;`,
]
// Nobody but a superuser may drop what is left of a TOAST table.
const noneInvalid = `not exists (select from pg_index where not indisvalid and indexrelid::regclass::text !~ '^pg_toast')
  and not exists (select from pg_class where relname ~ '^old.*_cc(new|old)')`
const writer = 'insert into leads values (0)'

const cases: readonly Omit<BrokenOff, 'setup'>[] = [
  {
    statement: 'create index concurrently leads_email on leads (email)',
    hold: writer,
    mends:
      /index public\.leads_email on public\.leads is INVALID, .*: this run drops it, and builds it again/,
    goesOn: done,
    isDone: `to_regclass('leads_email') is not null and ${noneInvalid}`,
  },
  {
    statement: 'create unique index concurrently on leads (lower(email)) where id > 0',
    hold: writer,
    mends: /index public\.leads_lower_idx on public\.leads is INVALID/,
    goesOn: done,
    isDone: `(select count(*) = 2 from pg_index where indrelid = 'leads'::regclass) and ${noneInvalid}`,
  },
  {
    statement: 'drop index concurrently old_index',
    hold: 'lock table leads in access share mode; select from leads where id = 1',
    mends: undefined,
    goesOn: done,
    isDone: `to_regclass('old_index') is null and ${noneInvalid}`,
  },
  {
    statement: 'reindex index concurrently old_index',
    hold: writer,
    mends: /index public\.old_index_ccnew on public\.leads is INVALID/,
    goesOn: again,
    isDone: `to_regclass('old_index') is not null and ${noneInvalid}`,
  },
  {
    statement: 'reindex table concurrently leads',
    // No writer, so that only the last phase waits, in which the old index is dropped.
    hold: 'lock table leads in access share mode',
    heldWhen: `to_regclass('old_index_ccold') is not null`,
    mends: /index public\.old_index_ccold on public\.leads is INVALID/,
    goesOn: again,
    isDone: `to_regclass('old_index') is not null and ${noneInvalid}`,
  },
  {
    statement: 'alter table parent detach partition part concurrently',
    hold: 'lock table parent in access share mode',
    mends:
      /partition public\.part of public\.parent is half detached, .*: this run brings that to its end/,
    goesOn: done,
    isDone: `not exists (select from pg_inherits)`,
  },
  {
    statement: 'vacuum leads',
    hold: 'lock table leads in share update exclusive mode',
    mends: undefined,
    goesOn: again,
    isDone: 'true',
  },
  {
    statement: 'cluster',
    hold: 'lock table part in access share mode',
    mends: undefined,
    goesOn: again,
    isDone: 'true',
  },
  {
    statement: 'reindex schema own',
    hold: 'lock table own.things in share update exclusive mode',
    mends: undefined,
    goesOn: again,
    isDone: noneInvalid,
  },
]

for (const each of cases) testBrokenOff({ ...each, setup })
