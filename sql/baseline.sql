-- lockstep: baseline 0010
-- The state after 0001 to 0010 in one go. An empty database is built from this
-- file and then runs 0011 and later; a database that already has history never
-- runs it. It holds what those files leave behind, unfinished work included:
-- constraints not yet validated, two columns for the owner of a lead. The
-- reasons for each line are in the files themselves.

create type lead_status as enum (
  'new',
  'contacted',
  'qualified',
  'won',
  'lost'
);

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

create table businesses (
  id bigint generated always as identity primary key,
  slug text not null unique check (slug ~ '^[a-z0-9-]+$'),
  name text not null check (length(name) between 1 and 200),
  time_zone text not null default 'UTC',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table users (
  id bigint generated always as identity primary key,
  business_id bigint not null references businesses (id),
  name text not null check (length(name) between 1 and 200),
  email text not null check (email like '%_@_%'),
  role text not null default 'agent' check (role in ('owner', 'agent')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index users_business_id_idx
  on users (business_id);
create unique index users_email_key
  on users (lower(email));

create table customers (
  id bigint generated always as identity primary key,
  business_id bigint not null references businesses (id),
  name text not null check (length(name) between 1 and 200),
  email text check (email like '%_@_%'),
  phone text check (phone ~ '^[+][0-9]{6,15}$'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint customers_reachable check (email is not null or phone is not null)
);

create unique index customers_business_email_key
  on customers (business_id, lower(email));

-- Columns stand in the order in which the files added them.
create table leads (
  id bigint generated always as identity primary key,
  business_id bigint not null references businesses (id),
  customer_id bigint not null references customers (id),
  assigned_to bigint references users (id),
  status lead_status not null default 'new',
  summary text not null check (length(summary) between 1 and 500),
  value_cents bigint check (value_cents >= 0),
  follow_up_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  source text default 'other',
  owner_id bigint
);

-- Left not valid, although the table is empty: 0011 is what validates them.
alter table leads
  add constraint leads_source_known
    check (source in ('website', 'phone', 'referral', 'assistant', 'other'))
    not valid,
  add constraint leads_owner_id_fkey
    foreign key (owner_id) references users (id)
    not valid,
  add constraint leads_source_present
    check (source is not null)
    not valid;

create index leads_business_id_status_idx
  on leads (business_id, status);
create index leads_customer_id_idx
  on leads (customer_id);
create index leads_assigned_to_idx
  on leads (assigned_to);
create index leads_follow_up_idx
  on leads (business_id, follow_up_at)
  where follow_up_at is not null and status not in ('won', 'lost');

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
create trigger leads_keep_owner_in_step
  before insert or update on leads
  for each row
  execute function keep_lead_owner_in_step();

create table conversations (
  id bigint generated always as identity primary key,
  business_id bigint not null references businesses (id),
  customer_id bigint not null references customers (id),
  lead_id bigint references leads (id),
  channel text not null check (channel in ('web', 'sms', 'email')),
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  constraint conversations_close_after_opening check (closed_at >= opened_at)
);

create index conversations_business_id_opened_at_idx on conversations (business_id, opened_at);
create index conversations_customer_id_idx on conversations (customer_id);
create index conversations_lead_id_idx on conversations (lead_id);

create table messages (
  id bigint generated always as identity,
  conversation_id bigint not null references conversations (id) on delete cascade,
  author text not null check (author in ('customer', 'assistant', 'user')),
  body text not null,
  sent_at timestamptz not null default now(),
  primary key (id, sent_at)
) partition by range (sent_at);

create index messages_conversation_id_sent_at_idx on messages (conversation_id, sent_at);

create table messages_2025_10 partition of messages
  for values from ('2025-10-01 00:00:00+00') to ('2025-11-01 00:00:00+00');
create table messages_2025_11 partition of messages
  for values from ('2025-11-01 00:00:00+00') to ('2025-12-01 00:00:00+00');
create table messages_2025_12 partition of messages
  for values from ('2025-12-01 00:00:00+00') to ('2026-01-01 00:00:00+00');
create table messages_default partition of messages default;

create table calls (
  id bigint generated always as identity primary key,
  business_id bigint not null references businesses (id),
  customer_id bigint not null references customers (id),
  lead_id bigint references leads (id),
  user_id bigint references users (id),
  direction text not null check (direction in ('inbound', 'outbound')),
  started_at timestamptz not null default now(),
  seconds integer not null default 0 check (seconds >= 0),
  summary text
);

create index calls_business_id_started_at_idx on calls (business_id, started_at);
create index calls_customer_id_idx on calls (customer_id);
create index calls_lead_id_idx on calls (lead_id);
create index calls_user_id_idx on calls (user_id);

comment on type lead_status is 'Stages of the pipeline, in order.';
comment on table businesses is 'The businesses that use the CRM; every other row belongs to one of them.';
comment on table users is 'People of a business who sign in.';
comment on table customers is 'People who deal with a business.';
comment on table leads is 'A piece of possible work for a customer, from first word to won or lost.';
comment on column leads.assigned_to is 'Old name of owner_id; goes with 0016.';
comment on column leads.source is 'Where the lead came from.';
comment on column leads.owner_id is 'The user who looks after the lead; null while nobody does.';
comment on table conversations is 'A thread of messages between a customer and a business or its assistant.';
comment on table messages is 'What was said in a conversation; one partition a month, by sent_at in UTC.';
comment on table calls is 'Telephone calls; a call without a user was taken by the assistant.';
comment on function touch_updated_at() is 'Sets updated_at on every edit; set local crm.backfill = ''on'' holds it back.';
comment on function keep_lead_owner_in_step() is 'Copies between leads.assigned_to and leads.owner_id while both exist.';

-- The seed of 0003, as the backfills of 0006 and 0010 left it. Rows go in by
-- the same statements and in the same order, so identity values end up the same.

insert into businesses (slug, name, time_zone, created_at, updated_at)
values
  ('alder-dental', 'Alder Dental Practice', 'Europe/London', '2025-06-02 08:00:00+00', '2025-06-02 08:00:00+00'),
  ('birch-bakery', 'Birch Lane Bakery', 'Europe/London', '2025-06-03 08:00:00+00', '2025-06-03 08:00:00+00'),
  ('cedar-plumbing', 'Cedar Plumbing and Heating', 'Europe/Dublin', '2025-06-04 08:00:00+00', '2025-06-04 08:00:00+00'),
  ('elm-optics', 'Elm Street Optics', 'Europe/London', '2025-06-05 08:00:00+00', '2025-06-05 08:00:00+00'),
  ('hazel-gardens', 'Hazel Garden Design', 'Europe/Paris', '2025-06-06 08:00:00+00', '2025-06-06 08:00:00+00'),
  ('rowan-cycles', 'Rowan Cycle Repairs', 'Europe/Berlin', '2025-06-07 08:00:00+00', '2025-06-07 08:00:00+00');

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

insert into customers (business_id, name, email, phone, created_at, updated_at)
select
  businesses.id,
  (array['Amara', 'Ben', 'Carla', 'Dylan', 'Elsa', 'Farid', 'Gwen', 'Hugo', 'Isla', 'Jonas', 'Kira', 'Liam'])[1 + g % 12]
    || ' ' || (array['Ashby', 'Bright', 'Calder', 'Dunmore', 'Eastley'])[1 + g / 12 % 5],
  format('customer%s@mail.example', g),
  '+442079460' || lpad(g::text, 3, '0'),
  made.at,
  made.at
from generate_series(1, 60) as g
cross join lateral (select timestamptz '2025-08-01 08:00:00+00' + g * interval '7 hours' as at) as made
join businesses on businesses.slug =
  (array['alder-dental', 'birch-bakery', 'cedar-plumbing', 'elm-optics', 'hazel-gardens', 'rowan-cycles'])[1 + g % 6]
order by g;

insert into leads (business_id, customer_id, assigned_to, status, summary, value_cents, follow_up_at, created_at, updated_at, source, owner_id)
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
  made.at,
  (array['website', 'phone', 'referral', 'other'])[1 + g % 4],
  users.id
from generate_series(1, 120) as g
cross join lateral (select timestamptz '2025-09-01 09:00:00+00' + g * interval '5 hours' as at) as made
join customers on customers.email = format('customer%s@mail.example', 1 + (g - 1) % 60)
left join users on users.business_id = customers.business_id
  and users.role = (array['owner', 'agent'])[1 + g / 6 % 2]
  and g % 7 <> 0
order by g;

-- The seed of 0008.

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
