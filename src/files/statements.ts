import { Lexer, type TokenKind, type Unclosed } from './lexer.ts'

/** One statement of a text, by code units. */
export interface Statement {
  /** Of its first token: comments in front of it are not part of it. */
  readonly start: number
  /** Behind its last token, which is not its semicolon. */
  readonly end: number
}

export interface Split {
  /** Without empty ones. */
  readonly statements: readonly Statement[]
  /** Behind the last semicolon that ends a statement: what is before it is sure, whatever follows. */
  readonly closedUntil: number
  readonly unclosed: Unclosed | undefined
}

export interface Token {
  readonly kind: TokenKind
  readonly start: number
  readonly end: number
  /** Words in upper case (ASCII only, as PostgreSQL folds them), all others as they are written. */
  readonly text: string
}

/**
 * Where PostgreSQL's grammar cuts a text into statements: at semicolons, but not within parentheses
 * (CREATE RULE ... DO (a; b)) and not within the body of a function between BEGIN ATOMIC and END.
 * A command of psql ends at its line and is a statement of its own, which nobody can run.
 */
export function splitStatements(text: string): Split {
  const lexer = new Lexer(text)
  const statements: Statement[] = []
  let closedUntil = 0
  let start = -1
  let end = 0
  let depth = 0
  const body = new AtomicBody(text)
  const close = (): void => {
    if (start !== -1) statements.push({ start, end })
    start = -1
    depth = 0
    body.reset()
  }
  while (lexer.next()) {
    if (lexer.kind === 'mark') {
      const code = text.charCodeAt(lexer.start)
      if (code === semicolon && depth === 0 && !body.isOpen) {
        close()
        closedUntil = lexer.end
        continue
      }
      if (code === open) depth += 1
      else if (code === shut && depth > 0) depth -= 1
    } else if (lexer.kind === 'meta' && start === -1) {
      statements.push({ start: lexer.start, end: lexer.end })
      continue
    }
    if (start === -1) start = lexer.start
    end = lexer.end
    body.see(lexer, depth)
  }
  close()
  return { statements, closedUntil, unclosed: lexer.unclosed }
}

const [semicolon, open, shut] = [0x3b, 0x28, 0x29]

/**
 * Whether the statement is within BEGIN ATOMIC ... END, which only CREATE FUNCTION and CREATE
 * PROCEDURE have. Its END stands behind a semicolon or behind ATOMIC; any other END belongs to a
 * CASE or is a name.
 */
class AtomicBody {
  isOpen = false
  readonly #text: string
  /** The first words of the statement, while they may become those of a routine. */
  #head: string | undefined = ''
  #previous = ''

  constructor(text: string) {
    this.#text = text
  }

  reset(): void {
    this.isOpen = false
    this.#head = ''
    this.#previous = ''
  }

  see({ kind, start, end }: Pick<Token, 'kind' | 'start' | 'end'>, depth: number): void {
    if (this.#head === undefined) return
    const token = kind === 'word' || kind === 'mark' ? upper(this.#text.slice(start, end)) : ''
    if (!routineHead.test(this.#head)) {
      const head = `${this.#head} ${token}`
      this.#head = headOfRoutine.test(head) ? head : undefined
    } else if (token === 'ATOMIC' && this.#previous === 'BEGIN' && depth === 0) this.isOpen = true
    else if (token === 'END' && (this.#previous === ';' || this.#previous === 'ATOMIC'))
      this.isOpen = false
    this.#previous = token
  }
}

const routineHead = /(?:FUNCTION|PROCEDURE)$/
/** As far as it goes. */
const headOfRoutine = /^ CREATE(?: OR(?: REPLACE)?)?(?: (?:FUNCTION|PROCEDURE))?$/

/** The tokens of a statement, at most so many. */
export function tokensOf(text: string, { start, end }: Statement, most = Infinity): Token[] {
  const lexer = new Lexer(text, start)
  const tokens: Token[] = []
  while (tokens.length < most && lexer.next() && lexer.start < end) {
    const { kind } = lexer
    const written = text.slice(lexer.start, lexer.end)
    tokens.push({
      kind,
      start: lexer.start,
      end: lexer.end,
      text: kind === 'word' ? upper(written) : written,
    })
  }
  return tokens
}

/** ASCII only: PostgreSQL leaves other letters as they are in UTF-8. */
function upper(word: string): string {
  return word.replace(/[a-z]+/g, (letters) => letters.toUpperCase())
}
