import type { Directives } from './directives.ts'
import { LargeText } from './large.ts'
import { meaningOf, type Meaning } from './meaning.ts'
import { readScript, type Reading } from './script.ts'
import { splitStatements } from './statements.ts'
import type { Stretch } from './stretches.ts'

/** Of a small file the text itself. */
export type Text = string | LargeText

export interface ReadText {
  readonly text: Text
  readonly checksum: string
  readonly hadByteOrderMark: boolean
}

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

/** Where directives may stand; of a small file all of it. */
export function headerOf(text: Text): string {
  return typeof text === 'string' ? text : text.header
}

export function meaningOfText(text: Text): Meaning {
  return typeof text === 'string' ? meaningOf(text) : text.meaning
}

/** What its statements are, and the text as it is sent. */
export function scriptOf(text: Text, directives: Directives): Reading & { readonly text: Text } {
  return typeof text === 'string' ? readScript(text, directives) : { ...text.reading, text }
}

/** How much of it is on the wire when it is sent: characters, or the bytes of a large one. */
export function sizeOf(text: Text): number {
  return typeof text === 'string' ? text.length : text.size
}
