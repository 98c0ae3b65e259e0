-- A qualified lead with a figure already had its proposal, there was only no
-- word for it. Nobody edited these leads, so their dates stay.
set local crm.backfill = 'on';

update leads
set status = 'proposal_sent'
where status = 'qualified' and value_cents is not null;

-- A view is an interface like a table: columns are named one by one, never "*",
-- so that a column added to leads does not change it. It uses owner_id, or
-- 0016 could not drop the old column.
create view lead_pipeline as
select
  leads.business_id,
  leads.owner_id,
  users.name as owner_name,
  leads.status,
  count(*) as leads,
  coalesce(sum(leads.value_cents), 0) as value_cents,
  min(leads.follow_up_at) as next_follow_up_at,
  leads.status = 'proposal_sent' as awaits_customer
from leads
left join users on users.id = leads.owner_id
where leads.status not in ('won', 'lost')
group by
  leads.business_id,
  leads.owner_id,
  users.name,
  leads.status;

comment on view lead_pipeline is 'Open leads of each business by owner and stage.';
