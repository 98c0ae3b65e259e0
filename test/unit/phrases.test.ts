import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count, seconds } from '../../src/phrases.ts'

test('things are counted as people count them', () => {
  assert.deepEqual(
    [0, 1, 2].map((number) => count(number, 'file')),
    ['0 files', '1 file', '2 files'],
  )
})

test('a time is told as exactly as its length asks for', () => {
  const second = 1_000
  for (const [ms, told] of [
    [400, '0.4 s'],
    [119 * second, '119 s'],
    [120 * second, '2 m 0 s'],
    [7_199 * second, '119 m 59 s'],
    [7_200 * second, '2 h 0 m'],
    [47.5 * 3_600 * second, '47 h 30 m'],
    [49 * 3_600 * second, '2 d 1 h'],
  ] as const) {
    assert.equal(seconds(ms), told)
  }
})
