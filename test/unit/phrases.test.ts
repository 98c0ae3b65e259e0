import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count } from '../../src/phrases.ts'

test('things are counted as people count them', () => {
  assert.deepEqual(
    [0, 1, 2].map((number) => count(number, 'file')),
    ['0 files', '1 file', '2 files'],
  )
})
