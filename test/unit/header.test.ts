import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDirectives, strayDirectives } from '../../src/files/header.ts'

const found = (word: string, rest: string, line: number) => ({ word, rest, line })

for (const [text, ...directives] of [
  [''],
  ['select 1;'],
  ['-- a comment\n-- another: lockstep\nselect 1;'],
  ['-- lockstep: baseline 0042', found('baseline', '0042', 1)],
  ['-- lockstep: baseline 0042\n', found('baseline', '0042', 1)],
  ['--lockstep:baseline 0042\n', found('baseline', '0042', 1)],
  ['  --  LockStep:  BASELINE   0042 x \n', found('baseline', '0042 x', 1)],
  ['-- lockstep: no-transaction\n', found('no-transaction', '', 1)],
  ['-- lockstep:\n', found('', '', 1)],
  ['-- lockstep: Allow Delete, Truncate on Leads', found('allow', 'Delete, Truncate on Leads', 1)],
  ['\n\n-- note\n-- lockstep: a 1\n\n-- lockstep: b 2\n', found('a', '1', 4), found('b', '2', 6)],
  ['-- x\r\n-- lockstep: a 1\r\n', found('a', '1', 2)],
  ['-- x\r-- lockstep: a 1\r', found('a', '1', 2)],
  ['-- lockstep: a\t1\n', found('a', '1', 1)],
  ['-- lockstep: a', found('a', '', 1)],
  // Only above the first statement, so that a string that holds the words is never one.
  ['select 1;\n-- lockstep: a 1\n'],
  [`select '\n-- lockstep: a 1\n';`],
  ['/* -- lockstep: a 1 */\n'],
  ['/* a */\n-- lockstep: a 1\n'],
  ['-- lockstep: a 1\nselect 1;\n-- lockstep: b 2\n', found('a', '1', 1)],
  ['-- lockstep a 1\n'],
  ['-- my lockstep: a 1\n'],
  ['- lockstep: a 1\n'],
] as const) {
  test(`${JSON.stringify(text)} has ${directives.length} directives`, () => {
    assert.deepEqual(readDirectives(text), directives)
  })
}

test('a directive below a long comment is found', () => {
  const comment = '-- a line of a licence\n'
  assert.equal(readDirectives(`${comment.repeat(900)}-- lockstep: a 1\n`)[0]?.line, 901)
})

// A case: what nobody would read as the directive that it was meant for, and where; or none.
for (const [text, ...places] of [
  ['-- lockstep : after-rollout\n', 0],
  ['-- lockstep = x\n', 0],
  ['-- a\n-- Lockstep after-rollout\nselect 1;', 5],
  ['/* lockstep: no-transaction */', 0],
  ['/*\n * lockstep: no-transaction\n */ select 1', 0],
  ['--- lockstep: no-transaction', 0],
  ['-- @lockstep: no-transaction', 0],
  ['select 1; -- lockstep : after-rollout\n/* lockstep lock-timeout 2s */', 10, 38],
  ['select 1; -- lockstep: after-rollout', 10],
  ['-- lockstep keeps the schema in step\n-- lockstep allows it: see docs'],
  ['-- another lockstep: x\n/* -- lockstep: x */'],
  [`select 'lockstep: x', $$-- lockstep: x$$ -- of lockstep: x`],
  ['-- lockstep: no-transaction'],
] as const) {
  test(`${JSON.stringify(text)} has ${places.length} that look like directives`, () => {
    assert.deepEqual(
      strayDirectives(text).map(({ at }) => at),
      places,
    )
  })
}
