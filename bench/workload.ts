import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The same work in two forms: a folder for Lockstep, scripts for psql. */
export interface Workload extends Disposable {
  /** Folder of SQL files. */
  readonly dir: string
  /** How many they are. */
  readonly files: number
  /** What a shell script would feed to psql: each file and its history row in one transaction. */
  readonly freshScript: string
  /** What it would ask in order to find nothing to do. */
  readonly noOpScript: string
}

/** Files that every run gets alike, in groups of four around one table each. */
export function makeWorkload(files: number): Workload {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-'))
  const texts = Array.from({ length: files }, (_, index) => fileOf(index))
  for (const { name, text } of texts) writeFileSync(join(home, name), text)
  const script = (name: string, lines: readonly string[]): string => {
    const path = join(home, name)
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }
  return {
    dir: home,
    files,
    freshScript: script('fresh.psql', [
      'create table history (name text primary key, checksum text not null, applied_at timestamptz not null default now());',
      ...texts.map(({ name, text }) => {
        const row = `insert into history (name, checksum) values ('${name}', '${hash('sha256', text)}');`
        return `begin;\n${text}\n${row}\ncommit;`
      }),
    ]),
    noOpScript: script('no-op.psql', ['select name, checksum from history order by name;']),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}

function rowOf(id: number): string {
  return `insert into events values (${String(id).padStart(8)}, '${'x'.repeat(158)}');\n`
}

/** A table and so many rows of 200 bytes. */
export function largeText(rows: number): string {
  const lines = Array.from({ length: rows }, (_, index) => rowOf(index))
  return ['create table events (id bigint, note text);\n', ...lines].join('')
}

export interface SqlFolder {
  readonly dir: string
}

/** A folder of these files, in order. */
export function makeFolder(texts: readonly string[]): Disposable & SqlFolder {
  const dir = mkdtempSync(join(tmpdir(), 'lockstep-bench-'))
  for (const [index, text] of texts.entries())
    writeFileSync(join(dir, `${String(index + 1).padStart(4, '0')}_file.sql`), text)
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}

/** A folder of one file of 100 MB. */
export function makeLargeFile(): Disposable & { readonly dir: string; readonly file: string } {
  const dir = mkdtempSync(join(tmpdir(), 'lockstep-bench-'))
  const file = join(dir, '0001_events.sql')
  writeFileSync(file, largeText(500_000))
  return { dir, file, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}

function fileOf(index: number): { name: string; text: string } {
  const group = Math.floor(index / 4)
  const forms = [createTable, addColumns, addIndexes, addForeignKey]
  const [word, text] = (forms[index % 4] ?? createTable)(tableOf(group), tableOf(group - 1))
  return { name: `${String(index + 1).padStart(4, '0')}_${word}_${tableOf(group)}.sql`, text }
}

/** The first table refers to itself, each later one to the one before it. */
function tableOf(group: number): string {
  return `orders_${String(Math.max(group, 0)).padStart(3, '0')}`
}

type Form = (table: string, parent: string) => [word: string, text: string]

const createTable: Form = (table) => [
  'create',
  `-- Orders as they come in from the shop. Amounts are in the smallest unit of the currency, so that
-- no rounding ever happens in the database; the currency is kept beside each amount.
create table ${table} (
  id bigint generated always as identity primary key,
  reference text not null unique,
  customer_id bigint not null,
  status text not null default 'new',
  currency char(3) not null default 'EUR',
  amount_net bigint not null default 0,
  amount_tax bigint not null default 0,
  amount_gross bigint generated always as (amount_net + amount_tax) stored,
  details jsonb not null default '{}',
  placed_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  constraint ${table}_status_known check (status in ('new', 'paid', 'sent', 'returned', 'closed'))
);

comment on table ${table} is 'Orders of one shop, one row each; rows are never deleted, only closed';
comment on column ${table}.reference is 'What the customer sees on the invoice';
comment on column ${table}.details is 'What the shop sent along, as it came';
`,
]

const addColumns: Form = (table) => [
  'extend',
  `-- Delivery has been a part of the details until now, which made it impossible to ask for all orders
-- that are late without reading every document. The columns are nullable or have a constant default,
-- so that no row is rewritten and the lock on the table is short.
alter table ${table}
  add column delivery_method text not null default 'parcel',
  add column delivery_street text,
  add column delivery_postcode text,
  add column delivery_city text,
  add column delivery_country char(2),
  add column promised_for date,
  add column delivered_at timestamptz,
  add column weight_grams integer not null default 0;

alter table ${table}
  add constraint ${table}_weight_possible check (weight_grams >= 0 and weight_grams < 1000000),
  add constraint ${table}_delivery_known check (delivery_method in ('parcel', 'letter', 'pickup'));

comment on column ${table}.promised_for is 'The day that was promised in the shop, not a forecast';
`,
]

const addIndexes: Form = (table) => [
  'index',
  `-- Two questions are asked all the time: which orders has this customer, newest first, and which
-- orders are still open. The first needs every row; the second concerns some hundred rows out of
-- millions, so its index is partial and stays small enough to be in memory always. Both were seen in
-- pg_stat_statements as the two most expensive ones of the week, with a sequential scan each.
create index ${table}_customer_placed on ${table} (customer_id, placed_at desc);

create index ${table}_open_promised on ${table} (promised_for, delivery_country)
  where status in ('new', 'paid') and delivered_at is null;

comment on index ${table}_customer_placed is
  'List of orders in the account of a customer, page by page from the newest to the oldest';
comment on index ${table}_open_promised is
  'Board of the warehouse: what must leave the house today, and what is late already, by country';
`,
]

const addForeignKey: Form = (table, parent) => [
  'link',
  `-- An order may follow another one: a replacement for what was lost on its way, or the second half of
-- a delivery that was split. The column is new and empty, so the key can be checked at once, and the
-- check of the whole table costs nothing. Deleting is refused: orders are closed and never deleted,
-- and a delete that somebody types by hand must not take a chain of orders along with it.
alter table ${table}
  add column follows_id bigint;

alter table ${table}
  add constraint ${table}_follows foreign key (follows_id) references ${parent} (id)
  on delete restrict on update restrict;

alter table ${table}
  add constraint ${table}_follows_other check (follows_id is null or follows_id <> id or id < 0);

comment on column ${table}.follows_id is
  'The order that this one replaces or completes; null for nearly all of them';
`,
]
