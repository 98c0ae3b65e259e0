import { tokensOf, type Statement, type Token } from './statements.ts'

/**
 * What PostgreSQL refuses inside a transaction, always or as the case may be. `docs/no-transaction.md`
 * says of each how one sees afterwards whether it was done; a test holds the two equal.
 */
export const bareKinds = [
  'CREATE INDEX CONCURRENTLY',
  'DROP INDEX CONCURRENTLY',
  'REINDEX CONCURRENTLY',
  'REINDEX',
  'DETACH PARTITION CONCURRENTLY',
  'VACUUM',
  'CLUSTER',
  'CREATE DATABASE',
  'DROP DATABASE',
  'ALTER DATABASE SET TABLESPACE',
  'CREATE TABLESPACE',
  'DROP TABLESPACE',
  'ALTER SYSTEM',
  'CREATE SUBSCRIPTION',
  'DROP SUBSCRIPTION',
  'ALTER SUBSCRIPTION',
  'COMMIT PREPARED',
  'ROLLBACK PREPARED',
  'CALL',
  'DO',
] as const

export type BareKind = (typeof bareKinds)[number]

/** A name with its schema, as the catalogs have it: without quotes, folded. */
type Name = readonly string[]

export interface Bare {
  readonly kind: BareKind
  /** Refused for certain; else it depends on options, on the catalog, or on what a procedure does. */
  readonly isCertain: boolean
  /** What it is about: table and index, parent and partition, a database; as many as it names. */
  readonly names: readonly Name[]
  /** IF EXISTS, IF NOT EXISTS. */
  readonly isLenient: boolean
  /** Of an index: UNIQUE, and where its definition begins, behind the name of the table. */
  readonly isUnique: boolean
  readonly definitionAt: number
}

/** What kind of statement it is that may not run in a transaction, or undefined for all others. */
export function bareOf(text: string, statement: Statement): Bare | undefined {
  const words = new Words(text, tokensOf(text, statement, mostTokens))
  const first = words.take()
  return grammar[first]?.(words)
}

/** Names and options stand at the beginning. */
const mostTokens = 64

const grammar: Readonly<Record<string, (words: Words) => Bare | undefined>> = {
  CREATE: (words) => {
    const isUnique = words.skip('UNIQUE')
    if (words.skip('INDEX')) return createIndex(words, isUnique)
    if (words.skip('DATABASE')) return bare('CREATE DATABASE', words, [words.name()])
    if (words.skip('TABLESPACE')) return bare('CREATE TABLESPACE', words, [words.name()])
    if (words.skip('SUBSCRIPTION')) return maybe('CREATE SUBSCRIPTION', words, [words.name()])
    return undefined
  },
  DROP: (words) => {
    if (words.skip('INDEX')) {
      return words.skip('CONCURRENTLY') ? drop('DROP INDEX CONCURRENTLY', words) : undefined
    }
    if (words.skip('DATABASE')) return drop('DROP DATABASE', words)
    if (words.skip('TABLESPACE')) return drop('DROP TABLESPACE', words)
    if (words.skip('SUBSCRIPTION')) return { ...drop('DROP SUBSCRIPTION', words), isCertain: false }
    return undefined
  },
  ALTER: (words) => {
    if (words.skip('SYSTEM')) return bare('ALTER SYSTEM', words, [])
    if (words.skip('SUBSCRIPTION')) return maybe('ALTER SUBSCRIPTION', words, [words.name()])
    if (words.skip('DATABASE')) {
      const name = words.name()
      if (!words.skip('SET') || !words.skip('TABLESPACE')) return undefined
      return bare('ALTER DATABASE SET TABLESPACE', words, [name])
    }
    return words.skip('TABLE') ? detach(words) : undefined
  },
  REINDEX: (words) => {
    const options = words.parenthesis()
    const target = words.take()
    const isConcurrent =
      words.skip('CONCURRENTLY') || /\bCONCURRENTLY\b(?! (FALSE|OFF|0|NO)\b)/.test(options)
    const isWhole = /^(SCHEMA|DATABASE|SYSTEM)$/.test(target)
    // Of a schema or a database nothing narrows down where leftovers may be.
    const names = isWhole ? [] : [words.name()]
    const kind = isConcurrent ? 'REINDEX CONCURRENTLY' : 'REINDEX'
    return { ...bare(kind, words, names), isCertain: isConcurrent || isWhole }
  },
  CLUSTER: (words) => {
    words.skip('VERBOSE')
    words.parenthesis()
    const name = words.name()
    return { ...bare('CLUSTER', words, [name]), isCertain: name.length === 0 }
  },
  COMMIT: (words) => (words.skip('PREPARED') ? prepared('COMMIT PREPARED', words) : undefined),
  ROLLBACK: (words) => (words.skip('PREPARED') ? prepared('ROLLBACK PREPARED', words) : undefined),
  VACUUM: (words) => bare('VACUUM', words, []),
  CALL: (words) => maybe('CALL', words, []),
  DO: (words) => maybe('DO', words, []),
}

function createIndex(words: Words, isUnique: boolean): Bare | undefined {
  if (!words.skip('CONCURRENTLY')) return undefined
  const isLenient = words.skip('IF') && words.skip('NOT') && words.skip('EXISTS')
  const index = words.skip('ON') ? [] : words.name()
  if (index.length > 0) words.skip('ON')
  words.skip('ONLY')
  const table = words.name()
  return { ...bare('CREATE INDEX CONCURRENTLY', words, [table, index]), isLenient, isUnique }
}

function detach(words: Words): Bare | undefined {
  if (words.skip('IF')) words.skip('EXISTS')
  words.skip('ONLY')
  const parent = words.name()
  if (!words.skip('DETACH') || !words.skip('PARTITION')) return undefined
  const partition = words.name()
  if (!words.skip('CONCURRENTLY')) return undefined
  return bare('DETACH PARTITION CONCURRENTLY', words, [parent, partition])
}

function drop(kind: BareKind, words: Words): Bare {
  const isLenient = words.skip('IF') && words.skip('EXISTS')
  return { ...bare(kind, words, [words.name()]), isLenient }
}

function prepared(kind: BareKind, words: Words): Bare {
  return bare(kind, words, [[words.string()]])
}

function bare(kind: BareKind, words: Words, names: readonly Name[]): Bare {
  return { kind, isCertain: true, names, isLenient: false, isUnique: false, definitionAt: words.at }
}

function maybe(kind: BareKind, words: Words, names: readonly Name[]): Bare {
  return { ...bare(kind, words, names), isCertain: false }
}

/** Whether it sets something for the statements behind it: SET and RESET, but not SET LOCAL. */
export function isSetting(text: string, statement: Statement): boolean {
  const [first, second] = tokensOf(text, statement, 2)
  if (first?.text === 'RESET') return true
  return first?.text === 'SET' && !/^(LOCAL|TRANSACTION|CONSTRAINTS)$/.test(second?.text ?? '')
}

/** Reads along the tokens of a statement. */
class Words {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text
    this.#tokens = tokens
  }

  /** Behind what has been read. */
  get at(): number {
    return this.#tokens[this.#next - 1]?.end ?? 0
  }

  take(): string {
    const token = this.#tokens[this.#next]
    this.#next += 1
    return token?.kind === 'word' ? token.text : ''
  }

  skip(word: string): boolean {
    const token = this.#tokens[this.#next]
    const isThere = token?.kind === 'word' && token.text === word
    if (isThere) this.#next += 1
    return isThere
  }

  /** Of a name its parts, none where there is no name. */
  name(): Name {
    const parts: string[] = []
    for (;;) {
      const token = this.#tokens[this.#next]
      if (token?.kind !== 'word' && token?.kind !== 'name') return parts
      parts.push(plain(this.#text.slice(token.start, token.end)))
      this.#next += 1
      if (this.#tokens[this.#next]?.text !== '.') return parts
      this.#next += 1
    }
  }

  string(): string {
    const token = this.#tokens[this.#next]
    this.#next += 1
    return token?.kind === 'string' ? token.text.slice(1, -1).replaceAll("''", "'") : ''
  }

  /** What stands in parentheses, if they come next. */
  parenthesis(): string {
    if (this.#tokens[this.#next]?.text !== '(') return ''
    const from = this.#next
    while (this.#next < this.#tokens.length && this.#tokens[this.#next]?.text !== ')')
      this.#next += 1
    this.#next += 1
    return this.#tokens
      .slice(from + 1, this.#next - 1)
      .map(({ text }) => text)
      .join(' ')
  }
}

/** A name as the catalogs have it. PostgreSQL manual, 4.1.1. */
function plain(written: string): string {
  if (/^u&"/i.test(written)) {
    const inner = written.slice(3, -1).replaceAll('""', '"')
    return inner.replace(/\\(?:([0-9a-f]{4})|\+([0-9a-f]{6})|\\)/gi, (all, short, long) =>
      all === '\\\\' ? '\\' : String.fromCodePoint(Number.parseInt(String(short ?? long), 16)),
    )
  }
  if (written.startsWith('"')) return written.slice(1, -1).replaceAll('""', '"')
  return written.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
