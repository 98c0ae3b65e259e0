-- The trigger of 0009 looks after rows written since; this is for the others.
-- After this file both columns agree everywhere, and a release that uses only
-- owner_id can go out.

set local crm.backfill = 'on';

update leads
set owner_id = assigned_to
where owner_id is distinct from assigned_to;
