import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'

// Golden: by `printf 'lockstep %s' SCHEMA | sha256sum | cut -c 1-16`, as a signed number. They may
// never change: two releases that disagreed would both think themselves alone.
for (const [schema, key] of [
  ['lockstep', -6_666_451_310_881_527_300n],
  ['crm', -6_473_250_744_443_445_034n],
  ['größe "x"', 8_770_226_680_560_760_969n],
] as const) {
  test(`the lock of the schema ${schema} has the key ${key}`, () => {
    assert.equal(lockKey(schema), key)
  })
}
