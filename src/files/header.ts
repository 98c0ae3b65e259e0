import { Lexer } from './lexer.ts'

/** One `-- lockstep: word rest` line of the comments that a file begins with. */
export interface Directive {
  readonly word: string
  readonly rest: string
  /** 1-based. */
  readonly line: number
}

const form = /^--\s*lockstep:\s*(\S*)\s*(.*)$/i

/** What is wrong with a directive below the first statement. */
export const tooLow = 'a directive must stand in the comment lines that the file begins with'

/** Most files have none, and it takes longer to look at each line. */
export function mayHoldDirectives(text: string): boolean {
  return /lockstep:/i.test(text)
}

/**
 * Directives stand in the comment lines above the first statement, so that they can be seen at a
 * glance and a string that holds the same words is never one.
 */
export function readDirectives(text: string): Directive[] {
  const directives: Directive[] = []
  if (!mayHoldDirectives(text)) return directives
  let line = 0
  for (const [, content = ''] of text.matchAll(/([^\r\n]*)(?:\r\n|\r|\n|$)/g)) {
    line += 1
    const trimmed = content.trim()
    if (trimmed !== '' && !trimmed.startsWith('--')) break
    const found = form.exec(trimmed)
    if (found) directives.push({ word: (found[1] ?? '').toLowerCase(), rest: found[2] ?? '', line })
  }
  return directives
}

/**
 * Where comments in the form of a directive stand too low to be one: offsets in code units.
 *
 * @param isBegin - of the file: only there is a header
 */
export function strayDirectives(text: string, isBegin = true): number[] {
  if (!mayHoldDirectives(text)) return []
  const lines = /^(?:[ \t\f\v]*(?:--[^\r\n]*)?(?:\r\n|\r|\n|$))*/
  const header = isBegin ? (lines.exec(text)?.[0].length ?? 0) : 0
  if (!/--\s*lockstep:/i.test(text.slice(header))) return []
  const found: number[] = []
  const lexer = new Lexer(text, header)
  for (let from = header, more = true; more; from = lexer.end) {
    more = lexer.next()
    const gap = text.slice(from, more ? lexer.start : text.length)
    // Comments between slashes go first: two dashes in them begin nothing.
    for (const comment of gap.matchAll(/\/\*[^]*?\*\/|--[^\r\n]*/g)) {
      if (form.test(comment[0].trim())) found.push(from + comment.index)
    }
  }
  return found
}
