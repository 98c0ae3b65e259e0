import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../src/nearest.ts'

for (const [word, meant] of [
  ['migrate', 'migrate'],
  ['migrat', 'migrate'],
  ['imgrate', 'migrate'],
  ['stats', 'status'],
  ['sttaus', 'status'],
  ['mgrt', undefined], // three letters are missing
  ['', undefined],
  ['deploy', undefined],
] as const) {
  test(`“${word}” is near ${meant ?? 'nothing'}`, () => {
    assert.equal(nearest(word, ['migrate', 'status']), meant)
  })
}

test('of several near names the nearest is meant', () => {
  assert.equal(nearest('abcd', ['abxy', 'abcx', 'abyx']), 'abcx')
})
