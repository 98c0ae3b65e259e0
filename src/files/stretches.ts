import type { Place } from './bytes.ts'
import type { Unclosed } from './lexer.ts'
import { splitStatements, type Statement } from './statements.ts'
import { Walk } from './walk.ts'

/** A part of a text that holds whole statements: all of a small one. */
export interface Stretch {
  readonly text: string
  /** By code units of this text. */
  readonly statements: readonly Statement[]
  /** What is left open at the end of the file; only the last has it. */
  readonly unclosed: Unclosed | undefined
  /** Where it begins in the file. */
  readonly begins: Place
}

/** The place in the file of a code unit of a stretch. */
export function placeIn({ text, begins }: Stretch, at: number): Place {
  const walk = new Walk(begins)
  walk.over(text.slice(0, at))
  return walk.place
}

/**
 * Statements by a rolling look: of what has been read, all up to the last semicolon that ends a
 * statement is sure, and the rest is looked at again with what follows. Each time without an end it
 * is looked at only when twice as much is there, so that one statement of many parts is not lexed
 * once for each.
 *
 * @param parts - the text; none ends within a character
 * @param mostBytes - of one statement
 * @param tooLong - told where a longer one begins; throws
 */
export function* stretchesIn(
  parts: Iterable<string>,
  mostBytes: number,
  tooLong: (at: Place) => never,
): Generator<Stretch> {
  const walk = new Walk()
  let text = ''
  let bytes = 0
  let seen = 0
  const refuseLonger = ({ start, end }: Statement): void => {
    // Three bytes are the most for a code unit.
    if ((end - start) * 3 <= mostBytes) return
    if (Buffer.byteLength(text.slice(start, end)) <= mostBytes) return
    walk.over(text.slice(0, start))
    tooLong(walk.place)
  }
  for (const part of parts) {
    text += part
    bytes += Buffer.byteLength(part)
    if (text.length < 2 * seen && bytes <= mostBytes) continue
    const { statements, closedUntil } = splitStatements(text)
    const sure = statements.filter(({ end }) => end <= closedUntil)
    for (const statement of sure) refuseLonger(statement)
    if (closedUntil > 0) {
      const begins = walk.place
      const head = text.slice(0, closedUntil)
      yield { text: head, statements: sure, unclosed: undefined, begins }
      walk.over(head)
      text = text.slice(closedUntil)
      bytes = Buffer.byteLength(text)
    }
    seen = text.length
    if (bytes > mostBytes) refuseLonger({ start: statements[sure.length]?.start ?? 0, end: seen })
  }
  const { statements, unclosed } = splitStatements(text)
  for (const statement of statements) refuseLonger(statement)
  yield { text, statements, unclosed, begins: walk.place }
}
