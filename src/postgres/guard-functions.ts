import { isRefilledFunction, keepFunction, keyFunction, lostFunction } from './guard-exact.ts'
import { isOwnFunction, judgeFunction } from './guard-judge.ts'
import { beforeFunction, effectsFunction } from './guard-look.ts'
import { identifier } from './quote.ts'

/**
 * The functions with which the guard and the effects look at what a file did, by the locks that its
 * transaction holds: without one above ROW SHARE nothing happened to a table, a savepoint that is
 * rolled back gives its locks back, and the number of tables costs nothing.
 *
 * @param own - what each function sets for itself
 */
export function guardFunctions(schema: string, own: string): string[] {
  const s = identifier(schema)
  return [
    beforeFunction(s, schema, own),
    effectsFunction(s, schema, own),
    keyFunction(s, own),
    keepFunction(s, schema, own),
    isRefilledFunction(s, own),
    lostFunction(s, schema, own),
    isOwnFunction(s, schema, own),
    judgeFunction(s, schema, own),
  ]
}

/** Names of the ledger's functions that run in the transaction of a file. */
export const functionsInside =
  'open,close,before,effects,judge,is_own,key,keep,is_refilled,lost,held'
