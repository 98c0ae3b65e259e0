-- A backfill has a file of its own. In one transaction with "alter table" the
-- exclusive lock would be held until the last row is written; alone, it locks
-- only the rows it changes, and readers wait for nothing.

set local crm.backfill = 'on';

-- Skips rows that have a value, so it never overwrites what a newer release
-- wrote. A table with millions of rows would get one file for each range of
-- ids, so that no single transaction runs for long.
update leads
set source = case
  when summary like 'Web form:%' then 'website'
  when summary like 'Phone:%' then 'phone'
  when summary like 'Referral:%' then 'referral'
  else 'other'
end
where source is null;
