import { splitStatements } from '../src/files/statements.ts'
import { largeText } from './workload.ts'

/** Megabytes that are cut into statements in a second, once for each round. */
export function measureLexing(rounds: number): number[] {
  const text = largeText(100_000)
  const megabytes = Buffer.byteLength(text) / 1e6
  const once = (): number => {
    const begunMs = performance.now()
    splitStatements(text)
    return megabytes / ((performance.now() - begunMs) / 1000)
  }
  once()
  return Array.from({ length: rounds }, once)
}
