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
      const digest = hash('sha256', tokensInOne(text, statement))
      if (this.#statements.length < this.#most) this.#statements.push(digest)
      lines += `${digest}\n`
    }
    this.#file.update(lines)
  }

  whole(): Meaning {
    return { file: this.#file.digest('hex'), statements: this.#statements }
  }
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
