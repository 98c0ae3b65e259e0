-- An enum because the order carries meaning: it is the order of the pipeline.
-- Lists without an order are text with a check, which is easier to change.
create type lead_status as enum (
  'new',
  'contacted',
  'qualified',
  'won',
  'lost'
);

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

-- Begins with business_id, so it serves the foreign key as well.
create unique index customers_business_email_key
  on customers (business_id, lower(email));

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
  updated_at timestamptz not null default now()
);

-- Inside a transaction an index cannot be built concurrently. The best moment
-- is therefore now, while the table is empty and the build locks nobody out.
create index leads_business_id_status_idx
  on leads (business_id, status);
create index leads_customer_id_idx
  on leads (customer_id);
create index leads_assigned_to_idx
  on leads (assigned_to);

-- The follow-up queue asks only for open leads with a date, so the index stays
-- small however many closed leads pile up. It names the closed states: a state
-- added later counts as open without a new index.
create index leads_follow_up_idx
  on leads (business_id, follow_up_at)
  where follow_up_at is not null and status not in ('won', 'lost');

comment on type lead_status is 'Stages of the pipeline, in order.';
comment on table customers is 'People who deal with a business.';
comment on table leads is 'A piece of possible work for a customer, from first word to won or lost.';
