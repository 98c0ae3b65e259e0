import { isUtf8 } from 'node:buffer'

/** Byte order marks of UTF-16. */
const wideMarks = new Set(['fffe', 'feff'])
const mark = '\u{FEFF}'
export const byteOrderMark = Buffer.from(mark)

/**
 * What stands in the way of reading bytes as text, or undefined; `at` is a byte offset.
 *
 * @param isStart - they are the first of a file
 */
export function byteProblem(
  bytes: Buffer,
  isStart = true,
): { at: number; what: string } | undefined {
  const nul = bytes.indexOf(0)
  if (nul !== -1) {
    const isWide = isStart && (nul <= 1 || wideMarks.has(bytes.toString('hex', 0, 2)))
    const what = isWide ? 'a NUL byte (a UTF-16 file?)' : 'a NUL byte'
    return { at: nul, what }
  }
  if (isUtf8(bytes)) return undefined
  const at = firstInvalidByte(bytes)
  return { at, what: `byte 0x${(bytes[at] ?? 0).toString(16).toUpperCase()}, which is not UTF-8` }
}

/** A place as people count it: line and column from 1, the column in code points. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** The place of the byte at an offset. */
export function placeOfByte(bytes: Buffer, at: number): Place {
  return placeBehind(bytes.subarray(0, at).toString('utf8'))
}

/** The place of the code point at an offset. */
export function placeOfCodePoint(text: string, at: number): Place {
  let index = 0
  for (let left = at; left > 0 && index < text.length; left -= 1) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
  }
  return placeBehind(text.slice(0, index))
}

/** The place behind a text. */
export function placeBehind(before: string): Place {
  const lines = before.split(/\r\n|\r|\n/)
  return { line: lines.length, column: codePoints(lines.at(-1) ?? '') + 1 }
}

/** Length in code points, which is how PostgreSQL counts. */
export function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** The text, without the one byte order mark that editors leave at the start (PostgreSQL: 42601). */
export function toText(bytes: Buffer): { text: string; hadByteOrderMark: boolean } {
  const text = bytes.toString('utf8')
  const hadByteOrderMark = text.startsWith(mark)
  return { text: hadByteOrderMark ? text.slice(mark.length) : text, hadByteOrderMark }
}

export function beginsWithMark(bytes: Buffer): boolean {
  return bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark)
}

/** A decoder puts U+FFFD where it cannot read; the first that is not U+FFFD in the bytes is the place. */
function firstInvalidByte(bytes: Buffer): number {
  const decoded = bytes.toString('utf8')
  const replacement = Buffer.from('\u{FFFD}')
  let at = 0
  let from = 0
  for (
    let next = decoded.indexOf('\u{FFFD}');
    next !== -1;
    next = decoded.indexOf('\u{FFFD}', from)
  ) {
    at += Buffer.byteLength(decoded.slice(from, next))
    if (!bytes.subarray(at, at + 3).equals(replacement)) return at
    at += 3
    from = next + 1
  }
  return at
}
