import assert from 'node:assert/strict'
import type { Ran } from './program.ts'

/** No output may hold a stack trace or a path of Node's own. */
function assertClean({ output }: Ran): void {
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
