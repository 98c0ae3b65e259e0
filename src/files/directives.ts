import { readDuration } from './duration.ts'
import { nearest } from '../nearest.ts'
import { printable } from '../printable.ts'
import { readAllowance, type Allowance } from './allowance.ts'
import { placeBehind, type Place } from './bytes.ts'
import { mayHoldDirectives, readDirectives, strayDirectives, type Directive } from './header.ts'

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
  /** What it may do to guarded tables. */
  readonly allowances: readonly Allowance[]
}

export const noDirectives: Directives = {
  noTransaction: false,
  afterRollout: false,
  breaksBefore: undefined,
  lockTimeoutMs: undefined,
  statementTimeoutMs: undefined,
  allowances: [],
}

/** How each is written; `docs/directives.md` has the same, a test compares. */
export const directiveForms = {
  'no-transaction': 'no-transaction',
  allow: 'allow delete, truncate on leads',
  'lock-timeout': 'lock-timeout 2s',
  'statement-timeout': 'statement-timeout 0',
  'after-rollout': 'after-rollout',
  'breaks-before': 'breaks-before 0038',
} as const

/** Only in `baseline.sql`. */
export const baselineForms = {
  baseline: 'baseline 0042',
  covers: 'covers NAME MEANING',
} as const

type Word = keyof typeof directiveForms
const words = Object.keys(directiveForms)

/** What is wrong with a directive. */
export interface DirectiveProblem extends Place {
  readonly kind: 'unknown' | 'invalid'
  readonly what: string
}

export interface DirectivesRead {
  readonly directives: Directives
  readonly problems: readonly DirectiveProblem[]
}

/** Reads the header of a file. Nothing that looks like a directive is passed over. */
export function readFileDirectives(text: string): DirectivesRead {
  if (!mayHoldDirectives(text)) return { directives: noDirectives, problems: [] }
  const lines = readDirectives(text)
  const stray = strayDirectives(text).map(({ at, what }): DirectiveProblem => ({
    ...placeBehind(text.slice(0, at)),
    kind: 'invalid',
    what,
  }))
  if (lines.length === 0) return { directives: noDirectives, problems: stray }
  const problems: DirectiveProblem[] = []
  const directives = { ...noDirectives }
  const seen = new Map<string, number>()
  for (const { word, rest, line } of lines) {
    const problem = (what: string, kind: DirectiveProblem['kind'] = 'invalid'): void => {
      problems.push({ kind, what, line, column: 1 })
    }
    if (!isKnown(word)) {
      problem(unknown(word), 'unknown')
      continue
    }
    const before = seen.get(word)
    if (before !== undefined && word !== 'allow')
      problem(`${word} stands in line ${before} already`)
    seen.set(word, before ?? line)
    const read = readers[word](rest.trim(), line, directives)
    if (typeof read === 'string') problem(read)
    else Object.assign(directives, read)
  }
  return { directives, problems: [...problems, ...stray] }
}

function isKnown(word: string): word is Word {
  return words.includes(word)
}

/** A word that is none, with what is known and what may be meant. */
function unknown(word: string): string {
  if (Object.hasOwn(baselineForms, word)) return `directive “${word}” belongs into baseline.sql`
  const near = nearest(word, words)
  const meant = near === undefined ? '' : `is ${near} meant? `
  return `directive “${printable(word)}” is not known to this release; ${meant}known: ${words.join(', ')}`
}

type Read = (rest: string, line: number, before: Directives) => Partial<Directives> | string

const readers: Readonly<Record<Word, Read>> = {
  'no-transaction': (rest) => alone('no-transaction', rest, { noTransaction: true }),
  'after-rollout': (rest) => alone('after-rollout', rest, { afterRollout: true }),
  'breaks-before': (rest) =>
    /^[0-9]+$/.test(rest)
      ? { breaksBefore: BigInt(rest) }
      : 'breaks-before names one version: breaks-before 0038',
  'lock-timeout': (rest) => {
    const lockTimeoutMs = readDuration(rest)
    return lockTimeoutMs === undefined ? notADuration('lock-timeout') : { lockTimeoutMs }
  },
  'statement-timeout': (rest) => {
    const statementTimeoutMs = readDuration(rest)
    return statementTimeoutMs === undefined
      ? notADuration('statement-timeout')
      : { statementTimeoutMs }
  },
  allow: (rest, line, { allowances }) => {
    const read = readAllowance(rest, line)
    return typeof read === 'string' ? read : { allowances: [...allowances, read] }
  },
}

function alone(word: Word, rest: string, read: Partial<Directives>): Partial<Directives> | string {
  return rest === '' ? read : `${word} stands alone in its line`
}

function notADuration(word: Word): string {
  return `${word} takes one duration such as 500ms, 2s or 5m; 0 is none`
}

/** What is wrong with versions in directives: only the whole folder knows. */
export function versionProblem(
  { breaksBefore }: Directives,
  own: bigint,
  versions: ReadonlySet<bigint>,
): string | undefined {
  if (breaksBefore === undefined) return undefined
  if (breaksBefore > own) return 'breaks-before names a version behind the file itself'
  if (versions.has(breaksBefore)) return undefined
  return 'breaks-before names a version of which no file is here'
}

/** The line of a directive that was read. */
export function lineOf(text: string, word: Word): number {
  const found = readDirectives(text).find((directive: Directive) => directive.word === word)
  return found?.line ?? 1
}
