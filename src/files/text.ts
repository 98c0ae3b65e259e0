import { LargeText } from './large.ts'
import { meaningOf, type Meaning } from './meaning.ts'
import type { Directives } from './directives.ts'
import { blank, readScript, type Script } from './script.ts'
import { splitStatements, type Statement } from './statements.ts'
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

export function scriptOf(text: Text, directives: Directives): Script {
  return typeof text === 'string' ? readScript(text, directives) : text.script
}

/** The text without some statements, which become white space. */
export function without(text: Text, blanked: readonly Statement[]): Text {
  return typeof text === 'string' ? blank(text, blanked) : text.without(blanked)
}

/** Statements of the text: of a large one not each has a meaning of its own. */
export function countOf(text: Text): number {
  return typeof text === 'string' ? splitStatements(text).statements.length : text.count
}

/** The text itself. A file that runs statement by statement is kept, however large. */
export function keptText(text: Text): string {
  return typeof text === 'string' ? text : text.whole()
}

/** How much of it is on the wire when it is sent: characters, or the bytes of a large one. */
export function sizeOf(text: Text): number {
  return typeof text === 'string' ? text.length : text.size
}

/** The first stretch: what a dump sets at its top is in it. */
export function headOf(text: Text): string {
  return typeof text === 'string' ? text : text.head
}
