-- Validating reads the whole table, but under a lock that lets reads and writes
-- go on. Adding these constraints valid would have done the same reading with
-- writers, or everybody, shut out.

alter table leads
  validate constraint leads_source_known;
alter table leads
  validate constraint leads_source_present;
alter table leads
  validate constraint leads_owner_id_fkey;

-- Last, because it is the one statement here that stops writers, and a lock is
-- kept until the transaction ends: nothing slow may come after it. Fine for a
-- table of this size; a table too large for that needs its index built
-- concurrently, outside the runner, before the file that relies on it.
create index leads_owner_id_idx
  on leads (owner_id);
