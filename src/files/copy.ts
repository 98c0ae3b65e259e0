import { tokensOf, type Statement, type Token } from './statements.ts'

/** COPY ... FROM STDIN and COPY ... TO STDOUT; PostgreSQL takes either word for either direction. */
export function copiesWithClient(tokens: readonly Token[], way = /^(?:FROM|TO)$/): boolean {
  if (tokens[0]?.text !== 'COPY' || tokens[0].kind !== 'word') return false
  let depth = 0
  return tokens.some(({ kind, text }, index) => {
    if (kind === 'mark' && text === '(') depth += 1
    if (kind === 'mark' && text === ')') depth -= 1
    const next = tokens[index + 1]
    const isWay = kind === 'word' && way.test(text)
    return depth === 0 && isWay && next?.kind === 'word' && /^STD(?:IN|OUT)$/.test(next.text)
  })
}

/** Data may follow. */
export function copiesFromClient(tokens: readonly Token[]): boolean {
  return copiesWithClient(tokens, /^FROM$/)
}

/** The lines behind a COPY FROM STDIN up to the one that ends them, as pg_dump writes them. */
export function dataBehind(text: string, statement: Statement): Statement | undefined {
  // Most statements are none: a look at the first letters is enough.
  if (!/^copy\b/i.test(text.slice(statement.start, statement.start + 5))) return undefined
  if (!copiesWithClient(tokensOf(text, statement, 200))) return undefined
  const line = /;[ \t]*(?:\r\n|\r|\n)/y
  line.lastIndex = statement.end
  if (!line.test(text)) return undefined
  const end = /^\\\.[ \t]*$/gm
  end.lastIndex = line.lastIndex
  const found = end.exec(text)
  return found === null ? undefined : { start: line.lastIndex, end: found.index + found[0].length }
}
