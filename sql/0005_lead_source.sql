-- Where a lead came from, so far written into the first words of its summary.
-- Goal: a column that is never null. It takes four files, because the lock that
-- changes a table must be short and filling a table is not:
--   0005 the column, 0006 the values, 0009 and 0011 the proof, 0016 not null.

alter table leads
  add column source text,
  -- Not valid: enforced for every write from now on, while the rows that are
  -- already there wait for 0011, which reads them under a weaker lock.
  add constraint leads_source_known
    check (source in ('website', 'phone', 'referral', 'assistant', 'other'))
    not valid;

-- A release that does not know the column keeps inserting without it. The
-- default is set apart from the column: given together with it, existing rows
-- would all read 'other' and the backfill could not tell them from new ones.
alter table leads
  alter column source set default 'other';

comment on column leads.source is 'Where the lead came from.';
