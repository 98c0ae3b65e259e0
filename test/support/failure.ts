import assert from 'node:assert/strict'
import { type FailureCode } from '../../src/errors.ts'
import { Failure } from '../../src/failure.ts'

/** The failure of this code that an action throws. */
export function failureOf(code: FailureCode, action: () => unknown): Failure {
  let thrown: unknown
  try {
    action()
  } catch (error) {
    thrown = error
  }
  return checked(code, thrown)
}

/** The failure of this code that a promise is rejected with. */
export async function failureIn(code: FailureCode, action: Promise<unknown>): Promise<Failure> {
  let thrown: unknown
  try {
    await action
  } catch (error) {
    thrown = error
  }
  return checked(code, thrown)
}

function checked(code: FailureCode, thrown: unknown): Failure {
  assert.ok(thrown instanceof Failure, `no failure but ${String(thrown)}`)
  assert.equal(thrown.code, code, told(thrown))
  return thrown
}

/** All that people see of a failure. */
export function told(failure: Failure): string {
  return [failure.message, ...failure.more].join('\n')
}

/** What must not reach a terminal: it would move the cursor, forge a line, or turn its order round. */
export const controlCharacter = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u
