import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noDirectives } from '../../src/files/directives.ts'
import { readScript } from '../../src/files/script.ts'
import { without } from '../../src/files/text.ts'

const noTransaction = { ...noDirectives, noTransaction: true }

/** `rule@line:text` of each finding, the text being what stands there. */
function found(text: string, directives = noDirectives): string[] {
  return readScript(text, directives).findings.map(
    ({ rule, at }) => `${rule}@${at}:${text.slice(at, at + 6)}`,
  )
}

for (const [text, ...findings] of [
  ['/*x*/CoMmIt/**/WoRk;', 'transaction-control@5:CoMmIt'],
  ['select 1; end', 'transaction-control@10:end'],
  ['abort;', 'transaction-control@0:abort;'],
  ['rollback', 'transaction-control@0:rollba'],
  ['rollback and chain', 'transaction-control@0:rollba'],
  ['start transaction;', 'transaction-control@0:start '],
  ["prepare transaction 'x'", 'transaction-control@0:prepar'],
  ["commit prepared 'x'", 'transaction-control@0:commit'],
  [
    'begin; commit; begin; commit',
    ...[0, 7, 15, 22].map((at) => `transaction-control@${at}:${at % 15 ? 'commit' : 'begin;'}`),
  ],
  [
    'begin; select 1; commit and chain',
    'transaction-control@0:begin;',
    'transaction-control@17:commit',
  ],
  [
    'begin read only; select 1; commit',
    'transaction-control@0:begin ',
    'transaction-control@27:commit',
  ],
  ['begin; rollback', 'transaction-control@0:begin;', 'transaction-control@7:rollba'],
  ['select 1; set transaction isolation level serializable', 'transaction-control@10:set tr'],
  ["set transaction snapshot 'x'", 'transaction-control@0:set tr'],
  ['copy (select 1 from stdin) to stdout', 'copy-client@0:copy ('],
  [
    "copy t (a) from stdin;\n1'\t\\N\n\\.\ncommit;",
    'copy-client@0:copy t',
    'transaction-control@32:commit',
  ],
  ['select 1;\n\\connect x', 'psql-command@10:\\conne'],
  ['select 1 \\gexec', 'psql-command@9:\\gexec'],
  ['\\restrict a b', 'psql-command@0:\\restr'],
  ['create unique index concurrently on t (a)', 'not-in-transaction@0:create'],
  ['vacuum; reindex database', 'not-in-transaction@0:vacuum', 'not-in-transaction@8:reinde'],
  ['discard all', 'session-state@0:discar'],
  ['select pg_catalog.pg_advisory_unlock_all ()', 'session-state@18:pg_adv'],
  ['select "pg_advisory_unlock_all"()', 'session-state@7:"pg_ad'],
  ['set local track_counts = off', 'session-state@0:set lo'],
  ['set transaction_read_only to on', 'session-state@0:set tr'],
  ['set session client_encoding to LATIN1', 'session-state@0:set se'],
  ["set names 'latin1'", 'session-state@0:set na'],
  ["set standard_conforming_strings to 'off'", 'session-state@0:set st'],
  ["select set_config('Track_Counts', E'off', true)", 'session-state@7:set_co'],
  ["select 'open", "open-end@7:'open"],
  ['select 1 /* open', 'open-end@9:/* ope'],
] as [string, ...string[]][]) {
  test(`refused: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(found(text), findings)
  })
}

for (const text of [
  'savepoint a; rollback to a; rollback work to savepoint a; release savepoint a',
  'select \'commit\', "commit", $$ commit; $$ -- commit\n/* commit; */',
  'create function f() returns int language sql begin atomic; select 1; end',
  'create table commit (begin int, "end" int)',
  'prepare transactions as select 1; deallocate transactions',
  "copy t from '/file'; copy t to program 'x'; copy stdin from '/f'; copy (select 1 from stdin) to '/f'",
  "alter type e add value 'b'; reindex table t; drop subscription s",
  "set client_encoding = 'utf-8'; set names 'UTF8'; set client_encoding to default",
  'set standard_conforming_strings = on; set track_counts to true',
  "select set_config('search_path', '', false), pg_advisory_unlock(1)",
  'set search_path to a; set role b; set session authorization c; reset all; discard temp',
  'set constraints all deferred; set session characteristics as transaction read only',
  '',
  '-- commit',
]) {
  test(`allowed: ${text}`, () => {
    assert.deepEqual(found(text), [])
    assert.deepEqual(readScript(text, noDirectives).blanked, [])
  })
}

for (const [text, sent, modes] of [
  ['begin;\nselect 1;\ncommit;', '     ;\nselect 1;\n      ;', ''],
  [
    'START TRANSACTION ISOLATION LEVEL /* é𝒳 */ SERIALIZABLE, read write, not deferrable; x; END WORK',
    `${' '.repeat(83)}; x; ${' '.repeat(8)}`,
    'ISOLATION LEVEL SERIALIZABLE, READ WRITE, NOT DEFERRABLE',
  ],
  [
    'set transaction isolation level\nrepeatable read; x',
    `${' '.repeat(31)}\n${' '.repeat(15)}; x`,
    'ISOLATION LEVEL REPEATABLE READ',
  ],
  [
    'begin; set transaction deferrable; x; commit and no chain',
    `     ; ${' '.repeat(26)}; x; ${' '.repeat(19)}`,
    'DEFERRABLE',
  ],
  ['\\restrict a1B\nx;\n\\unrestrict a1B\n', `${' '.repeat(13)}\nx;\n${' '.repeat(15)}\n`, ''],
] as const) {
  test(`left out: ${JSON.stringify(text)}`, () => {
    const script = readScript(text, noDirectives)
    assert.deepEqual(script.findings, [])
    assert.equal(without(text, script.blanked), sent)
    assert.equal(script.modes, modes)
    assert.equal(script.notes.length, /^(begin|start)/i.test(text) ? 1 : 0)
  })
}

test('a file without a transaction may hold what needs none, and nothing that begins or ends one', () => {
  assert.deepEqual(found('vacuum; create index concurrently on t (a)', noTransaction), [])
  assert.deepEqual(found('begin; vacuum; commit', noTransaction), [
    'transaction-control@0:begin;',
    'transaction-control@15:commit',
  ])
})

for (const [text, only] of [
  ['insert into t values (1); Update t set a = 1; delete from t', true],
  ['with a as (select 1) merge into t using a on true when matched then delete', true],
  ["set work_mem = '1GB'; select 1", true],
  ['begin; select 1; commit', true],
  ['select 1; create table t ()', false],
  ['', false],
] as const) {
  test(`${only ? 'changes rows only' : 'not rows only'}: ${text}`, () => {
    assert.equal(readScript(text, noDirectives).onlyRows, only)
  })
}
