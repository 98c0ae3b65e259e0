import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failures, type FailureCode } from '../../src/errors.ts'
import { asFailure, Failure } from '../../src/failure.ts'
import { told } from '../support/failure.ts'

const canary = 'c4n4ry'
// oxlint-disable-next-line no-unsafe-type-assertion -- the keys of a constant are known
const codes = Object.keys(failures) as FailureCode[]

test('a failure has the exit code of its code, and its advice where it brings none', () => {
  for (const code of codes) {
    const failure = new Failure(code, 'message')
    assert.ok(failure instanceof Error)
    assert.equal(failure.message, 'message')
    assert.equal(failure.exit, failures[code].exit)
    assert.deepEqual(failure.more, [failures[code].todo])
  }
})

test('advice of its own goes before that of its code', () => {
  assert.deepEqual(new Failure('DEFECT', 'message', ['a', 'b']).more, ['a', 'b'])
})

test('a retry helps after what is temporary, and after nothing else', () => {
  const temporary = codes.filter((code) => failures[code].exit === 75)
  assert.deepEqual(temporary, [
    'DATABASE_UNREACHABLE',
    'CONNECTION_LOST',
    'LOCK_TIMEOUT',
    'LEDGER_MOVED',
    'FILE_CHANGED_MEANWHILE',
    'RUNNER_WAIT_OVER',
    'ROLLOUT_WAIT_OVER',
    'DEADLINE_OVER',
    'GATE_WAIT_OVER',
    'STATUS_NOT_PUBLISHED',
    'INTERRUPTED',
  ])
  const defects = codes.filter((code) => failures[code].exit === 70)
  assert.deepEqual(defects, ['DEFECT'])
})

test('every code says what it means and what to do, in a sentence that others can go on with', () => {
  for (const code of codes) {
    const { means, todo } = failures[code]
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/)
    for (const text of [means, todo]) assert.match(text, /^[a-zA-Z].*[^.\s]$/, code)
    assert.ok([1, 64, 70, 75].includes(failures[code].exit), code)
  }
})

test('a failure stays itself', () => {
  const failure = new Failure('SQL_FAILED', 'message')
  assert.equal(asFailure(failure), failure)
})

for (const [what, thrown, message] of [
  ['a TypeError', new TypeError(canary), /^an unexpected TypeError at errors\.test\.ts:\d+:\d+$/],
  [
    'an error of a class of its own',
    new (class Odd extends Error {})(canary),
    /^an unexpected Odd at/,
  ],
  ['a text', canary, /^an unexpected string$/],
  ['a number', 4711, /^an unexpected number$/],
  ['nothing', undefined, /^an unexpected undefined$/],
  ['null', null, /^an unexpected object$/],
  ['an object', { message: canary, stack: canary, code: canary }, /^an unexpected object$/],
  [
    'an error with a cause',
    new Error('x', { cause: new Error(canary) }),
    /^an unexpected Error at/,
  ],
  [
    'an error with fields',
    Object.assign(new Error('x'), { input: canary }),
    /^an unexpected Error at/,
  ],
  [
    'several errors in one',
    new AggregateError([new Error(canary)], canary),
    /^an unexpected Aggregate/,
  ],
  [
    'an error of several lines',
    new Error(`a\n    at ${canary} (b)\n${canary}`),
    /^an unexpected Error/,
  ],
  ['an error that speaks of a path', new Error(`/root/${canary}/x`), /^an unexpected Error at/],
  [
    'an error that speaks of a place',
    new Error(`${canary}.ts:1:2`),
    /^an unexpected Error at errors/,
  ],
  [
    'an error that looks like a stack',
    new Error(`x\n    at /a/${canary}.js:1:2`),
    /^an unexpected Error at/,
  ],
] as const satisfies [string, unknown, RegExp][]) {
  test(`${what} becomes a defect that tells places, and no word of what was thrown`, () => {
    const failure = asFailure(thrown)
    assert.equal(failure.code, 'DEFECT')
    assert.match(failure.message, message)
    assert.equal(failure.more.at(-1), failures.DEFECT.todo)
    const said = told(failure)
    assert.ok(!said.includes(canary), said)
    assert.ok(!said.includes('/') && !said.includes('\\'), `a path: ${said}`)
  })
}

test('an error without a stack is a defect, too', () => {
  const error = new RangeError(canary)
  delete error.stack
  assert.equal(asFailure(error).message, 'an unexpected RangeError')
})

test('a defect tells a few places only', () => {
  const deep = (left: number): Error => (left === 0 ? new Error(canary) : deep(left - 1))
  assert.equal(asFailure(deep(20)).more.length, 4)
})
