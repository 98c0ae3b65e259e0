import { isRefilledFunction, keepFunction, keyFunction, lostFunction } from './guard-exact.ts'
import { isOwnFunction, judgeFunction } from './guard-judge.ts'
import { identifier } from './quote.ts'

/**
 * The functions of the guard that run only where `close` sees something suspicious, and in exact
 * mode.
 *
 * @param own - what each function sets for itself
 */
export function guardFunctions(schema: string, own: string): string[] {
  const s = identifier(schema)
  return [
    keyFunction(s, own),
    keepFunction(s, schema, own),
    isRefilledFunction(s, own),
    lostFunction(s, schema, own),
    isOwnFunction(s, schema, own),
    judgeFunction(s, schema, own),
  ]
}
