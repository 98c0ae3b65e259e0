import { printable } from '../printable.ts'
import type { Directive } from './header.ts'

/** What the `-- lockstep:` lines of a file's header ask for. */
export interface Directives {
  /** Statements run one by one, each in a transaction of its own where PostgreSQL allows one. */
  readonly noTransaction: boolean
  /** Waits for the phase after the rollout. */
  readonly afterRollout: boolean
  /** Images without a file of this version are refused from here on. */
  readonly breaksBefore: bigint | undefined
  /** PostgreSQL's settings for this file, in milliseconds; undefined for those of the run. */
  readonly lockTimeoutMs: number | undefined
  readonly statementTimeoutMs: number | undefined
}

export const noDirectives: Directives = {
  noTransaction: false,
  afterRollout: false,
  breaksBefore: undefined,
  lockTimeoutMs: undefined,
  statementTimeoutMs: undefined,
}

/** The directives of a file, and what is wrong with its lines: `3:1 ...`, to stand behind its name. */
export interface ReadDirectives {
  readonly directives: Directives
  readonly unknown: readonly string[]
  readonly invalid: readonly string[]
}

export function directivesOf(lines: readonly Directive[]): ReadDirectives {
  let { noTransaction, afterRollout, breaksBefore } = noDirectives
  const unknown: string[] = []
  const invalid: string[] = []
  for (const { word, rest, line } of lines) {
    if (word === 'after-rollout' || word === 'no-transaction') {
      if (word === 'after-rollout') afterRollout = true
      else noTransaction = true
      if (rest.trim() !== '') invalid.push(`${line}:1 “${word}” takes nothing behind it`)
    } else if (word === 'breaks-before') {
      const version = /^[0-9]+$/.exec(rest.trim())?.[0]
      if (version === undefined) invalid.push(`${line}:1 “breaks-before” wants a version`)
      else breaksBefore = BigInt(version)
    } else unknown.push(`${line}:1 directive “${printable(word)}” is not known to this release`)
  }
  const directives = { ...noDirectives, noTransaction, afterRollout, breaksBefore }
  return { directives, unknown, invalid }
}
