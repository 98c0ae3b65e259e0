/**
 * Controls, line separators, and what turns the order of letters round. By code, not as \p{Cc}: to make
 * that set of the Unicode tables takes longer than all of its use.
 */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const unprintable = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Foreign text (a name, a message of the server) must not move a cursor, or forge a line. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
