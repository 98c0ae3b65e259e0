/** Foreign text (a name, a message of the server) must not move a cursor or forge a line. */
export function printable(text: string): string {
  // By code, not as \p{Cc}: to make that set of the Unicode tables takes longer than all of its use.
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(/[\0-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
