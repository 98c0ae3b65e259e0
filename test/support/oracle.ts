import { loadModule, parseSync, scanSync } from 'libpg-query'
import { Lexer } from '../../src/files/lexer.ts'
import { splitStatements } from '../../src/files/statements.ts'

// PostgreSQL's own lexer and grammar (libpg-query), asked about the same text. It counts in bytes.
await loadModule()

/**
 * How far the oracle could say something: it parsed the text, so the cuts were compared; it only
 * cut it into tokens; it found it open at the end; it refused it, or its answer cannot be read.
 */
export type Verdict = 'parsed' | 'tokens' | 'open' | 'refused'

/** Where the program and PostgreSQL differ on a text, or how much of it was compared. */
export function compare(text: string): { verdict: Verdict } | { difference: string } {
  if (commentInString.test(text)) return { verdict: 'refused' }
  const mine = splitStatements(text)
  const oracle = parse(text)
  if (typeof oracle === 'string') {
    if (hasMeta(text)) return { verdict: 'refused' }
    const theyOpen = oracle.startsWith('unterminated')
    if (theyOpen) {
      return mine.unclosed ? { verdict: 'open' } : { difference: `PostgreSQL says: ${oracle}` }
    }
    if (mine.unclosed !== undefined && !isOfLexer(oracle)) {
      const scanned = scan(text)
      if (scanned) return { difference: `${mine.unclosed.what} open, PostgreSQL: ${oracle}` }
    }
    return compareTokens(text)
  }
  if (mine.unclosed !== undefined) return { difference: `${mine.unclosed.what} is not open` }
  const bytes = byteOffsets(text)
  const cuts = mine.statements.map(({ start, end }) => {
    // Up to its semicolon or the end of the text, comments included, as PostgreSQL has it.
    const lexer = new Lexer(text, end)
    return `${bytes(start)}-${bytes(lexer.next() ? lexer.start : text.length)}`
  })
  const theirs = oracle.map(([start, end]) => `${start}-${end}`)
  if (cuts.join() !== theirs.join()) {
    return { difference: `cuts: ${cuts.join(' ')}, PostgreSQL: ${theirs.join(' ')}` }
  }
  const tokens = compareTokens(text)
  return 'difference' in tokens ? tokens : { verdict: 'parsed' }
}

/**
 * `'a' -- comment` and `'b'` in the next line are one string for PostgreSQL, but not for
 * libpg-query, whose lexer gives comments out as tokens. `lexer.test.ts` asks servers instead.
 */
const commentInString = /'\s*(?:--[^\n\r]*[\n\r]\s*)+'/

function compareTokens(text: string): { verdict: Verdict } | { difference: string } {
  const theirs = scan(text)
  if (theirs === undefined) return { verdict: 'refused' }
  const bytes = byteOffsets(text)
  const mine: string[] = []
  const lexer = new Lexer(text)
  while (lexer.next()) {
    mine.push(`${bytes(lexer.start)}-${bytes(lexer.end)}`)
  }
  const at = mine.findIndex((token, index) => token !== theirs[index])
  if (at === -1 && mine.length === theirs.length) return { verdict: 'tokens' }
  const index = at === -1 ? mine.length : at
  return {
    difference: `token ${index}: ${mine[index] ?? 'none'}, PostgreSQL: ${theirs[index] ?? 'none'}`,
  }
}

/** A command of psql is one token for the program, and nothing that PostgreSQL knows. */
function hasMeta(text: string): boolean {
  const lexer = new Lexer(text)
  while (lexer.next()) if (lexer.kind === 'meta') return true
  return false
}

/** Start and end of each statement in bytes, or PostgreSQL's message. */
function parse(text: string): [number, number][] | string {
  try {
    const length = Buffer.byteLength(text)
    return (parseSync(text).stmts ?? []).map(({ stmt_location: at = 0, stmt_len: size }) => [
      at,
      size === undefined ? length : at + size,
    ])
  } catch (error) {
    return error instanceof Error ? error.message : 'no reason'
  }
}

function isOfLexer(message: string): boolean {
  return /^(?:trailing junk|invalid|unsafe|unterminated)/.test(message)
}

/** Start and end of each token in bytes; undefined where the answer is an error, or no JSON. */
function scan(text: string): string[] | undefined {
  try {
    const tokens = scanSync(text).tokens.filter(({ tokenName }) => !tokenName.endsWith('_COMMENT'))
    return joined(tokens).map(({ start, end }) => `${start}-${end}`)
  } catch {
    return undefined
  }
}

interface Piece {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** `N'text'` is two tokens for PostgreSQL, and one here. */
function joined(tokens: readonly Piece[]): Piece[] {
  const pieces: Piece[] = []
  for (const token of tokens) {
    const last = pieces.at(-1)
    if (last && /^n$/i.test(last.text) && token.text.startsWith("'") && last.end === token.start) {
      pieces.splice(-1, 1, { ...token, start: last.start })
    } else pieces.push(token)
  }
  return pieces
}

/** Code units -> bytes, for offsets that grow. */
function byteOffsets(text: string): (at: number) => number {
  let [units, bytes] = [0, 0]
  return (at) => {
    if (at < units) [units, bytes] = [0, 0]
    bytes += Buffer.byteLength(text.slice(units, at))
    units = at
    return bytes
  }
}
