import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bareKind } from '../../src/files/bare.ts'
import { tokensOf } from '../../src/files/statements.ts'

function kindOf(text: string) {
  return bareKind(text, tokensOf(text, { start: 0, end: text.length }))
}

const always = { certainty: 'always' }
const depends = { certainty: 'depends' }

for (const [text, expected] of [
  [
    'create unique index concurrently if not exists "A""b" on only S."T" (a)',
    { kind: 'create-index', index: 'A"b', table: ['s', 'T'], ifNotExists: true },
  ],
  [
    'CREATE INDEX CONCURRENTLY ON ünder (a)',
    { kind: 'create-index', index: undefined, table: ['ünder'], ifNotExists: false },
  ],
  [
    String.raw`drop index /* c */ concurrently if exists a, S.b, U&"d\0061t\+000061" cascade`,
    { kind: 'drop-index', indexes: [['a'], ['s', 'b'], ['data']], ifExists: true },
  ],
  [
    'reindex (verbose, concurrently) table s.t',
    { kind: 'reindex', what: 'table', name: ['s', 't'], concurrently: true },
  ],
  ['reindex database', { kind: 'reindex', what: 'database', name: undefined, concurrently: false }],
  ['vacuum (analyze) t', { kind: 'vacuum' }],
  ['cluster', { kind: 'cluster', table: undefined }],
  [
    'alter table if exists only s.t detach partition s.p concurrently',
    { kind: 'detach-partition', table: ['s', 't'], partition: ['s', 'p'] },
  ],
  ['create database d', { kind: 'create-database', name: 'd' }],
  ['drop database if exists d', { kind: 'drop-database', name: 'd', ifExists: true }],
  ['alter database d set tablespace t', { kind: 'move-database', name: 'd', tablespace: 't' }],
  ["create tablespace t location 'x'", { kind: 'create-tablespace', name: 't' }],
  ['drop tablespace t', { kind: 'drop-tablespace', name: 't', ifExists: false }],
  ["alter system set a.B = 'x'", { kind: 'alter-system', parameter: 'a.b' }],
  ['alter system reset all', { kind: 'alter-system', parameter: undefined }],
  [
    "create subscription s connection 'x' publication p",
    { kind: 'create-subscription', name: 's' },
  ],
  ['alter subscription s refresh publication', { kind: 'alter-subscription', name: 's' }],
] as const) {
  test(`refused inside of a transaction: ${text}`, () => {
    assert.deepEqual(kindOf(text), { ...expected, ...always })
  })
}

for (const [text, expected] of [
  ['reindex table t', { kind: 'reindex', what: 'table', name: ['t'], concurrently: false }],
  ['cluster verbose s.t using i', { kind: 'cluster', table: ['s', 't'] }],
  ['cluster i on t', { kind: 'cluster', table: ['t'] }],
  ['drop subscription if exists s', { kind: 'drop-subscription', name: 's', ifExists: true }],
] as const) {
  test(`refused only of some relations: ${text}`, () => {
    assert.deepEqual(kindOf(text), { ...expected, ...depends })
  })
}

test('a name is cut to 63 bytes, between characters', () => {
  const kind = kindOf(`create database ${'ä'.repeat(40)}`)
  assert.ok(kind?.kind === 'create-database')
  assert.equal(kind.name, 'ä'.repeat(31))
})
