-- Leads are counted in order rather than found by id, for the reason given in
-- 0003: the ids may have gaps, the order of the rows does not.

insert into conversations (business_id, customer_id, lead_id, channel, opened_at, closed_at)
select
  leads.business_id,
  leads.customer_id,
  leads.id,
  (array['web', 'sms', 'email'])[1 + leads.n % 3],
  made.at,
  case when leads.n % 2 = 0 then made.at + interval '1 hour' end
from (select id, business_id, customer_id, row_number() over (order by id) as n from leads) as leads
cross join lateral (select timestamptz '2025-10-02 09:00:00+00' + leads.n * interval '20 hours' as at) as made
where leads.n % 13 < 4
order by leads.n;

-- The last of these fall in January 2026, which has no partition yet; the
-- default one takes them in.
insert into messages (conversation_id, author, body, sent_at)
select
  conversations.id,
  said.author,
  said.body,
  conversations.opened_at + said.n * interval '3 minutes'
from conversations
cross join (values
  (1, 'customer', 'Hello, is there a free time this week?'),
  (2, 'assistant', 'There is; the next one is Thursday at 10:00. Shall I hold it?'),
  (3, 'customer', 'Yes please. What''s the price?'),
  (4, 'user', 'I will send it over this afternoon.')
) as said (n, author, body)
order by conversations.opened_at, said.n;

-- A call nobody is assigned to was taken by the assistant.
insert into calls (business_id, customer_id, lead_id, user_id, direction, started_at, seconds, summary)
select
  leads.business_id,
  leads.customer_id,
  leads.id,
  leads.assigned_to,
  (array['inbound', 'outbound'])[1 + leads.n % 2],
  timestamptz '2025-10-03 14:00:00+00' + leads.n * interval '17 hours',
  30 + leads.n * 11 % 400,
  case when leads.n % 3 = 0 then 'Asked to be called again next week.' end
from (select id, business_id, customer_id, assigned_to, row_number() over (order by id) as n from leads) as leads
where leads.n % 7 < 2
order by leads.n;
