import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forMajor, holdsLedger } from '../../src/files/dump.ts'

const head = `-- A dump.\nSET lock_timeout = 0;\nSET transaction_timeout = 0;\nSELECT set_config('a', 'b', false);\n`
const mended = head.replace('SET transaction_timeout = 0', ' '.repeat(27))
const rest = 'create table a ();\nset transaction_timeout = 0;\n'

for (const [major, text, expected] of [
  [16, head + rest, mended + rest],
  [17, head + rest, head + rest],
  [14, rest, rest],
  [14, 'set lock_timeout=0;', 'set lock_timeout=0;'],
  [14, '', ''],
] as const) {
  test(`for ${major} ${JSON.stringify(text.slice(0, 24))}... is ${text === expected ? 'left as it is' : 'blanked in place'}`, () => {
    assert.equal(forMajor(text, major), expected)
  })
}

for (const [text, schema, holds] of [
  ['create schema lockstep;', 'lockstep', true],
  ['CREATE TABLE lockstep.run (id text);', 'lockstep', true],
  ['create table "lockstep".run (id text);', 'lockstep', true],
  ['create schema other; -- lockstep', 'lockstep', false],
  [`insert into a values ('create schema lockstep;');`, 'lockstep', false],
  ['create table lockstep_a (id int);', 'lockstep', false],
  ['create schema "Crm";', 'Crm', true],
] as const) {
  test(`${text} ${holds ? 'makes' : 'does not make'} the ledger in ${schema}`, () => {
    assert.equal(holdsLedger(text, schema), holds)
  })
}
