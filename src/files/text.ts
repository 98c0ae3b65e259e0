import { LargeText } from './large.ts'
import { meaningOf, type Meaning } from './meaning.ts'
import { splitStatements } from './statements.ts'
import type { Stretch } from './stretches.ts'

/** Of a small file the text itself. */
export type Text = string | LargeText

/**
 * The statements of a text, each with its place, in one way for small files and large ones. Of a large
 * file a stretch is good for what is done at once: whoever does much with many lets others have a turn
 * between two stretches.
 */
export function* stretchesOf(text: Text): Generator<Stretch> {
  if (typeof text === 'string') {
    const { statements, unclosed } = splitStatements(text)
    yield { text, statements, unclosed, begins: { line: 1, column: 1 } }
  } else yield* text.stretches()
}

/** Where directives may stand. */
export function headerOf(text: Text): string {
  return typeof text === 'string' ? text : text.header
}

export function meaningOfText(text: Text): Meaning {
  return typeof text === 'string' ? meaningOf(text) : text.meaning
}

/** How much of it is on the wire when it is sent: characters, or the bytes of a large one. */
export function sizeOf(text: Text): number {
  return typeof text === 'string' ? text.length : text.size
}
