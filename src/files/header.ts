import { Lexer } from './lexer.ts'

/** One `-- lockstep: word rest` line of the comments that a file begins with. */
export interface Directive {
  readonly word: string
  readonly rest: string
  /** 1-based. */
  readonly line: number
}

const form = /^--\s*lockstep:\s*(\S*)\s*(.*)$/i

/** What people write instead; not what only speaks of Lockstep. */
const nearForm =
  /lockstep\s*[:=]|lockstep\s+(?:no-transaction|lock-timeout|statement-timeout|after-rollout|breaks-before)\b/i
const nearFormAtBegin = new RegExp(`^(?:${nearForm.source})`, 'i')

const tooLow = 'a directive must stand in the comment lines that the file begins with'
const misspelt = 'a directive is a line of its own, written as -- lockstep: no-transaction'

/** Most files have none, and it takes longer to look at each line. */
export function mayHoldDirectives(text: string): boolean {
  return nearForm.test(text)
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

/** What looks like a directive and is none. */
export interface StrayDirective {
  /** Offset in code units. */
  readonly at: number
  readonly what: string
}

/**
 * Directives that stand too low, or are misspelt so that nobody would read them.
 *
 * @param isBegin - of the file: only there is a header
 */
export function strayDirectives(text: string, isBegin = true): StrayDirective[] {
  if (!mayHoldDirectives(text)) return []
  const lines = /^(?:[ \t\f\v]*(?:--[^\r\n]*)?(?:\r\n|\r|\n|$))*/
  const header = isBegin ? (lines.exec(text)?.[0] ?? '') : ''
  const found: StrayDirective[] = []
  for (const line of header.matchAll(/--[^\r\n]*/g)) {
    const comment = line[0].trim()
    if (!form.test(comment) && isNear(comment)) found.push({ at: line.index, what: misspelt })
  }
  if (!mayHoldDirectives(text.slice(header.length))) return found
  const lexer = new Lexer(text, header.length)
  for (let from = header.length, more = true; more; from = lexer.end) {
    more = lexer.next()
    const gap = text.slice(from, more ? lexer.start : text.length)
    // Comments between slashes go first: two dashes in them begin nothing.
    for (const { 0: whole, index } of gap.matchAll(/\/\*[^]*?\*\/|--[^\r\n]*/g)) {
      const comment = whole.trim()
      if (form.test(comment)) found.push({ at: from + index, what: tooLow })
      else if (isNear(comment)) found.push({ at: from + index, what: misspelt })
    }
  }
  return found
}

function isNear(comment: string): boolean {
  const lines = comment.split(/\r\n|\r|\n/)
  return lines.some((line) => nearFormAtBegin.test(line.replace(/^\s*(?:\/\*+|--+)?[\s*@]*/, '')))
}
