-- Each file runs inside one transaction that the runner opens: it applies whole
-- or leaves nothing behind. Nothing says "if not exists", because a database
-- that is not in the expected state should stop the file, not pass unnoticed.

create table businesses (
  id bigint generated always as identity primary key,
  -- A name that people and seeds can point at; ids differ between databases.
  slug text not null unique check (slug ~ '^[a-z0-9-]+$'),
  -- Text with a check: a limit in a check can be widened later without
  -- changing the type of the column.
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

-- PostgreSQL does not index the referencing side of a foreign key by itself;
-- without this, deleting a business would read all of users.
create index users_business_id_idx
  on users (business_id);

-- People do not agree with themselves about capitals in their own address, so
-- uniqueness is on the lower-case form while the column keeps what they typed.
create unique index users_email_key
  on users (lower(email));

comment on table businesses is 'The businesses that use the CRM; every other row belongs to one of them.';
comment on table users is 'People of a business who sign in.';
