-- lockstep: allow drop-column on leads
-- The end of what 0005 and 0009 began. It may run once no running release
-- mentions assigned_to; until then it would break them, and it cannot be undone.

-- 0011 proved that no source is null, so this reads no row. Two statements,
-- because within one "alter table" drops go first and the proof would be gone.
alter table leads
  alter column source set not null;
alter table leads
  drop constraint leads_source_present;

-- The trigger before the column, as its function names both. The index and the
-- foreign key of the old column go with it.
drop trigger leads_keep_owner_in_step on leads;
drop function keep_lead_owner_in_step();

-- Marks the column as gone without rewriting a row.
alter table leads
  drop column assigned_to;
