import assert from 'node:assert/strict'
import { test } from 'node:test'
import postgres from 'postgres'
import { bareKind } from '../../src/files/bare.ts'
import { tokensOf } from '../../src/files/statements.ts'
import { freshDatabase } from '../support/database.ts'

const refusedInTransactions = '25001'

/** What PostgreSQL answers inside of a transaction, and what the program thinks of it. */
const statements = `
create index concurrently x1 on t (b)
create unique index concurrently if not exists x2 on t (a)
create index concurrently on t (b)
create index i3 on t (b)
drop index concurrently i
drop index concurrently if exists nope
drop index i
reindex index concurrently i
reindex table concurrently t
reindex (concurrently) table t
reindex (concurrently true, verbose) table t
reindex (concurrently false) table t
reindex (concurrently 0) table t
reindex (concurrently 'off') table t
reindex (verbose, concurrently off) table t
reindex (concurrently on, concurrently off) table t
reindex schema public
reindex schema concurrently public
reindex system DATABASE
reindex database DATABASE
reindex table p
reindex index pi
reindex table t
vacuum
vacuum full t
vacuum (analyze) t
analyze t
analyze
cluster
cluster verbose
cluster t using i
cluster t
cluster verbose t
cluster i on t
alter type e add value 'b'
alter type e add value if not exists 'a'
alter table p detach partition p1
alter table p detach partition p1 concurrently
alter table only p detach partition p1 concurrently
create database d1
drop database if exists nope
alter database DATABASE set work_mem = '4MB'
alter database DATABASE connection limit 10
alter database DATABASE set tablespace pg_default
create tablespace ts location '/nowhere'
drop tablespace if exists nope
alter tablespace pg_default set (seq_page_cost = 1)
alter system set work_mem = '4MB'
alter system reset all
create subscription s1 connection 'host=/nowhere' publication pub
create subscription s2 connection 'host=/nowhere' publication pub with (connect = false)
create subscription s5 connection 'host=/nowhere' publication pub with (create_slot = false, connect = false)
alter subscription sub set publication pub with (refresh = false)
alter subscription sub enable
alter subscription sub set (slot_name = none)
alter subscription sub set (streaming = off)
drop subscription sub
drop subscription slotless
drop subscription if exists nope
refresh materialized view concurrently mv
checkpoint
create role lockstep_bare_role
load 'plpgsql'
lock table t
create extension if not exists plpgsql
alter table t set unlogged
`
  .trim()
  .split('\n')

test('what the server refuses inside of a transaction is known, and nothing else', async () => {
  await using db = await freshDatabase()
  const sql = postgres(db.superuserUrl, { max: 1, fetch_types: false, onnotice: () => undefined })
  await sql.unsafe(`
    create table t (a int primary key, b int);
    create index i on t (b);
    create table p (a int) partition by range (a);
    create table p1 partition of p for values from (0) to (10);
    create index pi on p (a);
    create type e as enum ('a');
    create materialized view mv as select 1 as a;
    create unique index on mv (a);
    cluster t using i`)
  for (const [name, options] of [
    ['sub', 'connect = false'],
    ['slotless', 'connect = false, slot_name = none, enabled = false'],
  ]) {
    await sql.unsafe(
      `create subscription ${name} connection 'host=/nowhere' publication pub with (${options})`,
    )
  }
  const wrong: string[] = []
  for (const template of statements) {
    const text = template.replace('DATABASE', db.name)
    const certainty = bareKind(text, tokensOf(text, { start: 0, end: text.length }))?.certainty
    await sql.unsafe('begin')
    const state = await sql.unsafe(text).then(
      () => 'ok',
      (error: { code?: string }) => error.code ?? '',
    )
    await sql.unsafe('rollback')
    const isRight =
      state === refusedInTransactions
        ? certainty !== undefined
        : state === 'ok' && certainty !== 'always'
    if (!isRight) wrong.push(`${text}: the server says ${state}, the program ${certainty}`)
  }
  assert.deepEqual(wrong, [])
  // A subscription with a slot would keep its database from being dropped.
  for (const name of ['sub', 'slotless']) {
    await sql.unsafe(`alter subscription ${name} disable`)
    await sql.unsafe(`alter subscription ${name} set (slot_name = none)`)
    await sql.unsafe(`drop subscription ${name}`)
  }
  await sql.end()
})
