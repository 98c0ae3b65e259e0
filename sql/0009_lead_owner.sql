-- leads.assigned_to becomes leads.owner_id. A rename would break every running
-- release at once, so both columns live side by side until nothing uses the old
-- one: 0009 adds and keeps in step, 0010 fills, 0011 checks, 0016 removes.

-- One "alter table" for all three, so that leads is locked once. The check for
-- source comes only now: before the backfill of 0006, any edit of an old row
-- would have failed it, for "not valid" spares old rows only until they change.
alter table leads
  add column owner_id bigint,
  add constraint leads_owner_id_fkey
    foreign key (owner_id) references users (id)
    not valid,
  add constraint leads_source_present
    check (source is not null)
    not valid;

-- In the same file as the column, so that no write falls between the two. A
-- release that uses owner_id, even only to write, has to wait for 0010.
create function keep_lead_owner_in_step()
returns trigger
language plpgsql
as $body$
begin
  if tg_op = 'INSERT' then
    new.owner_id := coalesce(new.owner_id, new.assigned_to);
    new.assigned_to := new.owner_id;
  elsif new.owner_id is distinct from old.owner_id then
    new.assigned_to := new.owner_id;
  elsif new.assigned_to is distinct from old.assigned_to then
    new.owner_id := new.assigned_to;
  end if;
  return new;
end;
$body$;

create trigger leads_keep_owner_in_step
  before insert or update on leads
  for each row
  execute function keep_lead_owner_in_step();

comment on column leads.assigned_to is 'Old name of owner_id; goes with 0016.';
comment on column leads.owner_id is 'The user who looks after the lead; null while nobody does.';
comment on function keep_lead_owner_in_step() is 'Copies between leads.assigned_to and leads.owner_id while both exist.';
