import type { Place } from './bytes.ts'
import { splitStatements } from './statements.ts'
import type { Text } from './text.ts'

/** What a rehearsal sends at once, and where it begins in the file. */
export interface Unit {
  readonly text: string
  readonly begins: Place
}

/** The statements of a text, one by one; of a large one its pieces. */
export function* unitsOf(text: Text): Generator<Unit> {
  if (typeof text !== 'string') {
    yield* text.pieces()
    return
  }
  let line = 1
  let lineBegin = 0
  let at = 0
  for (const { start, end } of splitStatements(text).statements) {
    for (
      let next = text.indexOf('\n', at);
      next !== -1 && next < start;
      next = text.indexOf('\n', next + 1)
    ) {
      line += 1
      lineBegin = next + 1
    }
    at = start
    yield { text: text.slice(start, end), begins: { line, column: start - lineBegin + 1 } }
  }
}
