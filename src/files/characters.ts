/** What a token may be, by its first character. */
export const Shape = {
  mark: 0,
  word: 1,
  digit: 2,
  quote: 3,
  doubleQuote: 4,
  dollar: 5,
  operator: 6,
  dot: 7,
  backslash: 8,
  colon: 9,
} as const

export const shapes = new Uint8Array(128)
const setShape = (characters: string, shape: number): void => {
  for (const character of characters) shapes[character.charCodeAt(0)] = shape
}
setShape('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_', Shape.word)
setShape('0123456789', Shape.digit)
setShape("'", Shape.quote)
setShape('"', Shape.doubleQuote)
setShape('$', Shape.dollar)
setShape('~!@#^&|`?+-*/%<>=', Shape.operator)
setShape('.', Shape.dot)
setShape('\\', Shape.backslash)
setShape(':', Shape.colon)

export function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}

export function isLetterE(code: number): boolean {
  return code === 0x65 || code === 0x45
}

export function isLetterU(code: number): boolean {
  return code === 0x75 || code === 0x55
}

/** Behind the end of the text a code is NaN, which is none of these. */
export function isWordPart(code: number): boolean {
  if (code >= 128) return true
  const shape = shapes[code]
  return shape === Shape.word || shape === Shape.digit || shape === Shape.dollar
}
