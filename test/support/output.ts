import assert from 'node:assert/strict'
import { canary } from './database.ts'
import type { Ran } from './program.ts'
import { superuserPassword } from './server.ts'

/** No output, of whatever kind, may hold a password, a stack trace or a path of Node's own. */
function assertClean({ output }: Ran): void {
  for (const secret of [canary, encodeURIComponent(canary), superuserPassword]) {
    assert.ok(!output.includes(secret), `a password is in the output:\n${output}`)
  }
  assert.doesNotMatch(output, /^\s+at .*[(:]/m, 'a stack trace')
  assert.doesNotMatch(output, /node:internal|UnhandledPromise|Warning:/)
}

/** An exit code, the code of the failure in the last line, and texts that people must see. */
export function assertFailed(
  ran: Ran,
  exit: number,
  code: string,
  ...texts: readonly (string | RegExp)[]
): void {
  assertClean(ran)
  assert.equal(ran.exit, exit, ran.output)
  const last = ran.output.trimEnd().split('\n').at(-1) ?? ''
  assert.match(last, new RegExp(`^done +${code}, .* exit ${exit}$`), ran.output)
  for (const text of texts) {
    if (typeof text === 'string')
      assert.ok(ran.output.includes(text), `“${text}” is not in\n${ran.output}`)
    else assert.match(ran.output, text)
  }
}

export function assertSucceeded(ran: Ran, ...texts: readonly (string | RegExp)[]): void {
  assertClean(ran)
  assert.equal(ran.exit, 0, ran.output)
  for (const text of texts) {
    if (typeof text === 'string')
      assert.ok(ran.output.includes(text), `“${text}” is not in\n${ran.output}`)
    else assert.match(ran.output, text)
  }
}
