-- The date of the last edit is kept by the database, because a person at a
-- psql prompt and a script forget what the application remembers.

create function touch_updated_at()
returns trigger
language plpgsql
as $body$
begin
  -- A backfill isn't an edit. A file that rewrites rows first says
  --   set local crm.backfill = 'on';
  -- and the rows keep their dates; the setting ends with its transaction.
  if current_setting('crm.backfill', true) is distinct from 'on' then
    new.updated_at := now();
  end if;
  return new;
end;
$body$;

comment on function touch_updated_at() is 'Sets updated_at on every edit; set local crm.backfill = ''on'' holds it back.';

-- Creating a trigger waits for writers and then blocks them only for a moment:
-- no row is read.
create trigger businesses_touch_updated_at
  before update on businesses
  for each row
  execute function touch_updated_at();

create trigger users_touch_updated_at
  before update on users
  for each row
  execute function touch_updated_at();

create trigger customers_touch_updated_at
  before update on customers
  for each row
  execute function touch_updated_at();

create trigger leads_touch_updated_at
  before update on leads
  for each row
  execute function touch_updated_at();
