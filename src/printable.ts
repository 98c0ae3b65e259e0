/** Foreign text (a name, a message of the server) must not move a cursor, forge a line, or turn its order round. */
export function printable(text: string): string {
  // By code, not as \p{Cc}: to make that set of the Unicode tables takes longer than all of its use.
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(
    /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
    },
  )
}
