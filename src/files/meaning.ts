import { createHash, hash } from 'node:crypto'
import { Lexer } from './lexer.ts'
import { splitStatements, upper, type Split, type Statement } from './statements.ts'

/** The meaning of a text without a statement. */
export const blankMeaning = createHash('sha256').digest('hex')

/** What a text says, whatever its comments, white space, line ends and the case of its words. */
export interface Meaning {
  /** SHA-256 over the meanings of its statements, as 64 hexadecimal digits. Golden values pin it. */
  readonly file: string
  /** SHA-256 of each statement over its tokens, each behind a NUL, which no text holds; of a large file the first. */
  readonly statements: readonly string[]
}

export function meaningOf(text: string, split: Split = splitStatements(text)): Meaning {
  const growing = new GrowingMeaning(Infinity)
  growing.add(text, split.statements)
  return growing.whole()
}

/** The meaning of a text that comes in parts. */
export class GrowingMeaning {
  readonly #most: number
  readonly #file = createHash('sha256')
  readonly #statements: string[] = []
  count = 0

  /** @param most - statements whose meanings are kept one by one */
  constructor(most: number) {
    this.#most = most
  }

  add(text: string, statements: readonly Statement[]): void {
    this.count += statements.length
    let lines = ''
    for (const statement of statements) {
      const digest = hash('sha256', plainTokens(text, statement) ?? tokensInOne(text, statement))
      if (this.#statements.length < this.#most) this.#statements.push(digest)
      lines += `${digest}\n`
    }
    this.#file.update(lines)
  }

  whole(): Meaning {
    return { file: this.#file.digest('hex'), statements: this.#statements }
  }
}

/** Of a million statements no string is made for each token. Longer statements are few. */
const room = Buffer.allocUnsafeSlow(2 ** 12)
const [carriageReturn, firstSmall, lastSmall, toCapital] = [0x0d, 0x61, 0x7a, 0x20]
/** Characters of a token from which on it is quicker to have it copied. */
const longToken = 24

/** The bytes of `tokensInOne`, until the next call; undefined where they are many, or not all ASCII. */
function plainTokens(text: string, { start, end }: Statement): Buffer | undefined {
  // Each token has a NUL in front of it.
  if (2 * (end - start) > room.length) return undefined
  const lexer = new Lexer(text, start)
  let length = 0
  while (lexer.next() && lexer.start < end) {
    room[length] = 0
    length += 1
    const isWord = lexer.kind === 'word'
    if (!isWord && lexer.end - lexer.start >= longToken) {
      const token = text.slice(lexer.start, lexer.end)
      if (token.includes('\r') || room.write(token, length) !== token.length) return undefined
      length += token.length
      continue
    }
    for (let at = lexer.start; at < lexer.end; at += 1) {
      const code = text.charCodeAt(at)
      if (code >= 128 || code === carriageReturn) return undefined
      const isSmall = isWord && code >= firstSmall && code <= lastSmall
      room[length] = isSmall ? code - toCapital : code
      length += 1
    }
  }
  return room.subarray(0, length)
}

function tokensInOne(text: string, { start, end }: Statement): string {
  const lexer = new Lexer(text, start)
  let tokens = ''
  while (lexer.next() && lexer.start < end) {
    const written = text.slice(lexer.start, lexer.end)
    tokens += `\0${lexer.kind === 'word' ? upper(written) : withLineFeeds(written)}`
  }
  return tokens
}

/** Editors and git change line ends also inside of strings. */
function withLineFeeds(token: string): string {
  return token.includes('\r') ? token.replace(/\r\n?/g, '\n') : token
}
