-- Invented data. It depends on nothing but this file (no random numbers, no
-- clock), so every environment holds the same rows and can be compared.

insert into businesses (slug, name, time_zone, created_at, updated_at)
values
  ('alder-dental', 'Alder Dental Practice', 'Europe/London', '2025-06-02 08:00:00+00', '2025-06-02 08:00:00+00'),
  ('birch-bakery', 'Birch Lane Bakery', 'Europe/London', '2025-06-03 08:00:00+00', '2025-06-03 08:00:00+00'),
  ('cedar-plumbing', 'Cedar Plumbing and Heating', 'Europe/Dublin', '2025-06-04 08:00:00+00', '2025-06-04 08:00:00+00'),
  ('elm-optics', 'Elm Street Optics', 'Europe/London', '2025-06-05 08:00:00+00', '2025-06-05 08:00:00+00'),
  ('hazel-gardens', 'Hazel Garden Design', 'Europe/Paris', '2025-06-06 08:00:00+00', '2025-06-06 08:00:00+00'),
  ('rowan-cycles', 'Rowan Cycle Repairs', 'Europe/Berlin', '2025-06-07 08:00:00+00', '2025-06-07 08:00:00+00');

-- Joined by slug, never by a number: an identity value is spent even when the
-- transaction that drew it rolls back, so ids cannot be foretold.
insert into users (business_id, name, email, role, created_at, updated_at)
select businesses.id, people.name, people.email, people.role, businesses.created_at, businesses.created_at
from (values
  (1, 'alder-dental', 'Ines Marlow', 'Ines@alder-dental.example', 'owner'),
  (2, 'alder-dental', 'Tom Okafor', 'tom@alder-dental.example', 'agent'),
  (3, 'birch-bakery', 'Greta Lund', 'greta@birch-bakery.example', 'owner'),
  (4, 'birch-bakery', 'Samir Haddad', 'Samir@birch-bakery.example', 'agent'),
  (5, 'cedar-plumbing', 'Orla Keane', 'orla@cedar-plumbing.example', 'owner'),
  (6, 'cedar-plumbing', 'Piotr Nowak', 'piotr@cedar-plumbing.example', 'agent'),
  (7, 'elm-optics', 'Rosa Teller', 'rosa@elm-optics.example', 'owner'),
  (8, 'elm-optics', 'Ewan Pryce', 'ewan@elm-optics.example', 'agent'),
  (9, 'hazel-gardens', 'Chloé Martin', 'chloe@hazel-gardens.example', 'owner'),
  (10, 'hazel-gardens', 'Dev Anand', 'dev@hazel-gardens.example', 'agent'),
  (11, 'rowan-cycles', 'Jörg Brandt', 'joerg@rowan-cycles.example', 'owner'),
  (12, 'rowan-cycles', 'Maya Stone', 'maya@rowan-cycles.example', 'agent')
) as people (n, slug, name, email, role)
join businesses on businesses.slug = people.slug
order by people.n;

-- Dates move by hours, not days: the length of a day depends on the time zone
-- of the session, the length of an hour does not.
insert into customers (business_id, name, email, phone, created_at, updated_at)
select
  businesses.id,
  (array['Amara', 'Ben', 'Carla', 'Dylan', 'Elsa', 'Farid', 'Gwen', 'Hugo', 'Isla', 'Jonas', 'Kira', 'Liam'])[1 + g % 12]
    || ' ' || (array['Ashby', 'Bright', 'Calder', 'Dunmore', 'Eastley'])[1 + g / 12 % 5],
  format('customer%s@mail.example', g),
  -- The regulator keeps these numbers free for fiction.
  '+442079460' || lpad(g::text, 3, '0'),
  made.at,
  made.at
from generate_series(1, 60) as g
cross join lateral (select timestamptz '2025-08-01 08:00:00+00' + g * interval '7 hours' as at) as made
join businesses on businesses.slug =
  (array['alder-dental', 'birch-bakery', 'cedar-plumbing', 'elm-optics', 'hazel-gardens', 'rowan-cycles'])[1 + g % 6]
order by g;

-- Two leads for each customer; every seventh is nobody's yet. Only open leads
-- (the first three states) have a follow-up.
insert into leads (business_id, customer_id, assigned_to, status, summary, value_cents, follow_up_at, created_at, updated_at)
select
  customers.business_id,
  customers.id,
  users.id,
  (array['new', 'contacted', 'qualified', 'won', 'lost'])[1 + g % 5]::lead_status,
  (array['Web form', 'Phone', 'Referral', 'Note'])[1 + g % 4] || ': '
    || (array['asks for a quote', 'wants a first visit', 'asks about prices', 'wants to change a booking', 'asks for a call back'])[1 + g / 4 % 5],
  case when g % 11 > 3 then 5000 + g * 250 end,
  case when g % 5 < 3 and g % 7 > 2 then made.at + interval '72 hours' end,
  made.at,
  made.at
from generate_series(1, 120) as g
cross join lateral (select timestamptz '2025-09-01 09:00:00+00' + g * interval '5 hours' as at) as made
join customers on customers.email = format('customer%s@mail.example', 1 + (g - 1) % 60)
left join users on users.business_id = customers.business_id
  and users.role = (array['owner', 'agent'])[1 + g / 6 % 2]
  and g % 7 <> 0
order by g;
