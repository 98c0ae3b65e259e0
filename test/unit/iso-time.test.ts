import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isoTime } from '../../src/report/iso-time.ts'
import { randomOf, testSeed } from '../support/random.ts'

test('a time is written as toISOString writes it', () => {
  const seed = testSeed()
  const random = randomOf(seed)
  const end = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
  const days = 86_400_000
  const some = Array.from(
    { length: 2_000 },
    () => random.below(110_000) * days + random.below(days),
  )
  for (const ms of [0, 1, 61_000, end, Date.UTC(2028, 1, 29), Date.now(), ...some]) {
    const at = new Date(ms)
    assert.equal(isoTime(at), at.toISOString(), `seed ${seed}`)
  }
})
