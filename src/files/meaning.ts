import { createHash } from 'node:crypto'
import { splitStatements, tokensOf, type Split } from './statements.ts'

/** The meaning of a text without a statement. */
export const blankMeaning = createHash('sha256').digest('hex')

/** What a text says, whatever its comments, white space, line ends and the case of its words. */
export interface Meaning {
  /** SHA-256 over the meanings of its statements, as 64 hexadecimal digits. Golden values pin it. */
  readonly file: string
  /** SHA-256 of each statement over its tokens, each behind a NUL, which no text holds. */
  readonly statements: readonly string[]
}

export function meaningOf(text: string, split: Split = splitStatements(text)): Meaning {
  const statements = split.statements.map((statement) => {
    const hash = createHash('sha256')
    for (const token of tokensOf(text, statement)) hash.update(`\0${withLineFeeds(token.text)}`)
    return hash.digest('hex')
  })
  const file = createHash('sha256')
  for (const statement of statements) file.update(`${statement}\n`)
  return { file: file.digest('hex'), statements }
}

/** Editors and git change line ends also inside of strings. */
function withLineFeeds(token: string): string {
  return token.includes('\r') ? token.replace(/\r\n?/g, '\n') : token
}
