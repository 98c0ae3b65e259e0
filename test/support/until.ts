import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'

/** Looks again until it holds, for ten seconds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 200; !(await holds()); left -= 1) {
    assert.ok(left > 0, 'it does not hold after ten seconds')
    await setTimeout(50)
  }
}
