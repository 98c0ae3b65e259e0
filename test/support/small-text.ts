import type { Text } from '../../src/files/text.ts'

/** The text of a file that is not large. */
export function smallText({ text }: { readonly text: Text }): string {
  if (typeof text !== 'string') throw new Error('a large file')
  return text
}
