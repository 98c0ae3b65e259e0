import { readAllowance, type Allowance } from './allowance.ts'

/** One `-- lockstep: word rest` line of the comments that a file begins with. */
export interface Directive {
  readonly word: string
  readonly rest: string
  /** 1-based. */
  readonly line: number
}

/**
 * Directives stand in the comment lines above the first statement, so that they can be seen at a
 * glance and a string that holds the same words is never one.
 */
export function readDirectives(text: string): Directive[] {
  const directives: Directive[] = []
  // Most files have none, and it takes longer to look at each line.
  if (!/lockstep:/i.test(text)) return directives
  let line = 0
  for (const [, content = ''] of text.matchAll(/([^\r\n]*)(?:\r\n|\r|\n|$)/g)) {
    line += 1
    const trimmed = content.trim()
    if (trimmed !== '' && !trimmed.startsWith('--')) break
    const found = /^--\s*lockstep:\s*(\S*)\s*(.*)$/i.exec(trimmed)
    if (found) directives.push({ word: (found[1] ?? '').toLowerCase(), rest: found[2] ?? '', line })
  }
  return directives
}

/** What a file may do to guarded tables; lines that are no allowances are refused with the folder. */
export function allowancesOf(text: string): Allowance[] {
  return readDirectives(text)
    .filter(({ word }) => word === 'allow')
    .map(({ rest, line }) => readAllowance(rest, line))
    .filter((read) => typeof read !== 'string')
}
