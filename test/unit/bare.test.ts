import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bareOf, isSetting } from '../../src/files/bare.ts'
import { splitStatements } from '../../src/files/statements.ts'

function only(text: string): { start: number; end: number } {
  const { statements } = splitStatements(text)
  assert.equal(statements.length, 1)
  return statements[0] ?? { start: 0, end: 0 }
}

for (const [text, kind, names, isLenient = false] of [
  ['create index concurrently i on t (a)', 'CREATE INDEX CONCURRENTLY', [['t'], ['i']]],
  [
    'CREATE /* a */ UNIQUE INDEX CONCURRENTLY -- b\n IF NOT EXISTS "I ""x""" ON ONLY S."T" USING gin (a)',
    'CREATE INDEX CONCURRENTLY',
    [['s', 'T'], ['I "x"']],
    true,
  ],
  ['create index concurrently on t (a)', 'CREATE INDEX CONCURRENTLY', [['t'], []]],
  [
    String.raw`create index concurrently U&"\0069\+00006a" on t (a)`,
    'CREATE INDEX CONCURRENTLY',
    [['t'], ['ij']],
  ],
  ['drop index concurrently if exists s.i cascade', 'DROP INDEX CONCURRENTLY', [['s', 'i']], true],
  ['reindex index concurrently i', 'REINDEX CONCURRENTLY', [['i']]],
  ['reindex (verbose, concurrently) table t', 'REINDEX CONCURRENTLY', [['t']]],
  ['reindex schema concurrently s', 'REINDEX CONCURRENTLY', []],
  ['reindex database d', 'REINDEX', []],
  ['vacuum (full, analyze) t', 'VACUUM', []],
  ['cluster', 'CLUSTER', [[]]],
  ['cluster verbose', 'CLUSTER', [[]]],
  [
    'alter table if exists only p detach partition c concurrently',
    'DETACH PARTITION CONCURRENTLY',
    [['p'], ['c']],
  ],
  ['create database d template x', 'CREATE DATABASE', [['d']]],
  ['drop database if exists d', 'DROP DATABASE', [['d']], true],
  ['alter database d set tablespace t', 'ALTER DATABASE SET TABLESPACE', [['d']]],
  [`create tablespace t location '/x'`, 'CREATE TABLESPACE', [['t']]],
  ['drop tablespace t', 'DROP TABLESPACE', [['t']]],
  ['alter system set work_mem = 1', 'ALTER SYSTEM', []],
  [`commit prepared 'a''b'`, 'COMMIT PREPARED', [["a'b"]]],
  [`rollback prepared 'x'`, 'ROLLBACK PREPARED', [['x']]],
] as const) {
  test(`refused in a transaction: ${text}`, () => {
    const found = bareOf(text, only(text))
    assert.deepEqual(found && [found.kind, found.names, found.isLenient, found.isCertain], [
      kind,
      names,
      isLenient,
      true,
    ])
  })
}

for (const [text, kind] of [
  ['create subscription s connection $$x$$ publication p', 'CREATE SUBSCRIPTION'],
  ['drop subscription s', 'DROP SUBSCRIPTION'],
  ['alter subscription s refresh publication', 'ALTER SUBSCRIPTION'],
  ['reindex table t', 'REINDEX'],
  ['reindex (concurrently false) table t', 'REINDEX'],
  ['cluster t using i', 'CLUSTER'],
  ['call p()', 'CALL'],
  ['do $$ begin commit; end $$', 'DO'],
] as const) {
  test(`refused in a transaction as the case may be: ${text}`, () => {
    const found = bareOf(text, only(text))
    assert.deepEqual(found && [found.kind, found.isCertain], [kind, false])
  })
}

for (const text of [
  'create index i on t (concurrently)',
  'create table concurrently (id int)',
  'drop index i',
  'alter table p detach partition c',
  'alter table p detach partition c finalize',
  'alter database d set work_mem = 1',
  "select 'vacuum'",
  'refresh materialized view concurrently m',
  'analyze t',
  `alter type e add value 'x'`,
  'commit',
]) {
  test(`PostgreSQL allows it in a transaction: ${text}`, () => {
    assert.equal(bareOf(text, only(text)), undefined)
  })
}

test('where the definition of an index begins', () => {
  const text = 'create unique index concurrently i on s.t using btree (a) where a > 0'
  assert.equal(text.slice(bareOf(text, only(text))?.definitionAt), ' using btree (a) where a > 0')
})

test('what sets something for the statements behind it', () => {
  const settings = ['set a = 1', 'reset all', 'SET SESSION x to y', 'set role r']
  const others = [
    'set local a = 1',
    'set constraints all deferred',
    'select 1',
    'set transaction read only',
  ]
  for (const text of settings) assert.ok(isSetting(text, only(text)), text)
  for (const text of others) assert.ok(!isSetting(text, only(text)), text)
})
