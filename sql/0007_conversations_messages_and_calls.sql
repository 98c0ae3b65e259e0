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

-- Messages are most of the data and are kept for a fixed time. By month, old
-- ones leave by detaching a partition, not by a delete of millions of rows.
create table messages (
  id bigint generated always as identity,
  conversation_id bigint not null references conversations (id) on delete cascade,
  author text not null check (author in ('customer', 'assistant', 'user')),
  body text not null,
  sent_at timestamptz not null default now(),
  -- A key of a partitioned table has to hold the column it is divided by.
  primary key (id, sent_at)
) partition by range (sent_at);

create index messages_conversation_id_sent_at_idx on messages (conversation_id, sent_at);

-- The offset is written out: without it a bound would mean midnight in the time
-- zone of whichever session runs the file.
create table messages_2025_10 partition of messages
  for values from ('2025-10-01 00:00:00+00') to ('2025-11-01 00:00:00+00');
create table messages_2025_11 partition of messages
  for values from ('2025-11-01 00:00:00+00') to ('2025-12-01 00:00:00+00');
create table messages_2025_12 partition of messages
  for values from ('2025-12-01 00:00:00+00') to ('2026-01-01 00:00:00+00');

-- Catches what has no month yet: a forgotten partition must not refuse messages.
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

comment on table conversations is 'A thread of messages between a customer and a business or its assistant.';
comment on table messages is 'What was said in a conversation; one partition a month, by sent_at in UTC.';
comment on table calls is 'Telephone calls; a call without a user was taken by the assistant.';
