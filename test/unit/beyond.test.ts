import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reachesBeyond } from '../../src/files/beyond.ts'

// A case: a statement, and what of it other databases would feel.
for (const [text, what] of [
  ['create role r', 'CREATE ROLE'],
  ['/* x */ Alter User r set search_path = x', 'ALTER USER'],
  ['drop group g', 'DROP GROUP'],
  ['create user mapping for public server s', undefined],
  ['alter database d set timezone = 0', 'ALTER DATABASE'],
  ['create tablespace t location $$/x$$', 'CREATE TABLESPACE'],
  ['drop subscription s', 'DROP SUBSCRIPTION'],
  ['alter system set work_mem = 1', 'ALTER SYSTEM'],
  ['comment on database d is null', 'COMMENT ON DATABASE'],
  ['comment on table t is null', undefined],
  ['reassign owned by a to b', 'REASSIGN OWNED'],
  ['drop owned by a', 'DROP OWNED'],
  ['grant a to b', 'GRANT of a role'],
  ['revoke admin option for a from b', 'REVOKE of a role'],
  ['grant connect on database d to b', 'GRANT ON DATABASE'],
  ['grant select on t to b', undefined],
  ['grant all on all tables in schema s to b', undefined],
  ['create table role (database int)', undefined],
  ['select 1', undefined],
] as const) {
  test(`${text}: ${what ?? 'stays inside'}`, () => {
    assert.equal(reachesBeyond(text, { start: 0, end: text.length }), what)
  })
}
