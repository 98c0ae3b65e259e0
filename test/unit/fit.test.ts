import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fit } from '../../src/report/fit.ts'

const names = Array.from({ length: 3_000 }, (_, index) => `${index}_a_file_with_a_name.sql`)
const bytes = (fields: object): number => Buffer.byteLength(JSON.stringify(fields))

test('what fits is left as it is', () => {
  const fields = { message: 'plan 2 files', pending: ['1_a.sql', '2_b.sql'], covered: [] }
  assert.equal(fit(fields), fields)
})

test('of a long list the first part is kept, and it is named', () => {
  const fitting = fit({ message: 'plan 3000 files', run: 'cafe0123', pending: names })
  const { pending, ...others } = fitting
  assert.deepEqual(others, { message: 'plan 3000 files', run: 'cafe0123', cut: ['pending'] })
  assert.ok(Array.isArray(pending) && pending.length > 50)
  assert.deepEqual(pending, names.slice(0, pending.length))
  assert.ok(bytes(fitting) < 7 * 1024)
})

for (const [what, fields] of [
  ['a long text', { message: 'x'.repeat(1e6) }],
  ['a text of characters beyond the basic plane', { message: '😀'.repeat(1e5) }],
  ['a text that JSON makes longer', { message: '\u{1}'.repeat(6_000) }],
  ['two long lists', { covered: names, pending: names }],
  ['a long text in a list of one', { more: ['x'.repeat(1e5)] }],
  ['long parts of objects', { progress: { phase: 'x'.repeat(1e5), percent: 3 } }],
  ['many objects', { blockers: names.map((application) => ({ application, pid: 1 })) }],
] as const) {
  test(`${what} is shortened to well-formed text that fits`, () => {
    const fitting = fit({ checkpoint: 'plan', ...fields })
    assert.equal(fitting['checkpoint'], 'plan')
    assert.deepEqual(fitting['cut'], Object.keys(fields))
    assert.ok(bytes(fitting) < 7 * 1024)
    assert.ok(bytes(fitting) > 1024)
    assert.ok(JSON.stringify(fitting).isWellFormed())
    assert.doesNotMatch(JSON.stringify(fitting), /\\ud[89a-f]/)
  })
}
