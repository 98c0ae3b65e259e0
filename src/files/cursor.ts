import type { Token } from './statements.ts'

/** The parts of `schema.name` as PostgreSQL stores them: without quotes, folded, cut to 63 bytes. */
export type QualifiedName = readonly string[]

/** Goes over the tokens of a statement. What it does not find it leaves where it is. */
export class Cursor {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text
    this.#tokens = tokens
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** Goes over these keywords, if all of them come next. */
  takes(...words: readonly string[]): boolean {
    const all = words.every((word, index) => {
      const token = this.#tokens[this.#at + index]
      return token?.kind === 'word' && token.text === word
    })
    if (all) this.#at += words.length
    return all
  }

  /** Goes over one character of punctuation or an operator, if it comes next. */
  takesMark(mark: string): boolean {
    const token = this.#tokens[this.#at]
    const found = (token?.kind === 'mark' || token?.kind === 'operator') && token.text === mark
    if (found) this.#at += 1
    return found
  }

  /** Empty where something else comes next. */
  name(): string {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'word' && token?.kind !== 'name') return ''
    this.#at += 1
    return identifierOf(this.#text.slice(token.start, token.end))
  }

  qualifiedName(): QualifiedName {
    const parts = [this.name()]
    while (this.takesMark('.')) parts.push(this.name())
    return parts
  }

  /** `(name, name value, name = value)`, names folded; the last of a name counts. */
  options(): ReadonlyMap<string, string> {
    const options = new Map<string, string>()
    if (!this.takesMark('(')) return options
    while (!this.isAtEnd && !this.takesMark(')')) {
      const name = this.name()
      this.takesMark('=')
      const value: string[] = []
      while (!this.isAtEnd && !this.#isMark(',') && !this.#isMark(')')) value.push(this.value())
      options.set(name, value.length === 0 ? 'true' : value.join(''))
      this.takesMark(',')
    }
    return options
  }

  /** The options behind the first such keyword, wherever it stands. */
  optionsBehind(word: string): ReadonlyMap<string, string> {
    while (!this.isAtEnd && !this.takes(word)) this.#at += 1
    return this.options()
  }

  #isMark(mark: string): boolean {
    const token = this.#tokens[this.#at]
    return token?.kind === 'mark' && token.text === mark
  }

  /** Goes over one token: a string without its quotes, anything else as it is written. */
  value(): string {
    const token = this.#tokens[this.#at]
    this.#at += 1
    if (token === undefined) return ''
    const written = this.#text.slice(token.start, token.end)
    return token.kind === 'string' ? unquoted(written) : written
  }
}

/** Names and numbers of options and settings hold nothing that would need more. */
function unquoted(written: string): string {
  return written.replace(/^(?:[eEnNbBxX]|[uU]&)?'|'$/g, '').replace(/^\$(\w*)\$([^]*)\$\1\$$/, '$2')
}

/** A name as it is written -> as PostgreSQL stores it. */
function identifierOf(written: string): string {
  if (!written.includes('"')) {
    // Behind 127 PostgreSQL folds nothing in a database in UTF-8.
    return cut(written.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()))
  }
  const inner = written.slice(written.indexOf('"') + 1, -1).replaceAll('""', '"')
  return cut(written.startsWith('"') ? inner : withoutEscapes(inner))
}

/** `U&"d\0061t\+000061"`. Another escape character, by UESCAPE, is not looked for. */
function withoutEscapes(name: string): string {
  return name.replace(
    /\\(?:\\|\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))/g,
    (_, long: string | undefined, short: string | undefined) => {
      const digits = long ?? short
      return digits === undefined ? '\\' : String.fromCodePoint(Number.parseInt(digits, 16))
    },
  )
}

/** NAMEDATALEN of PostgreSQL is 64, with the NUL. */
const longestName = 63

function cut(name: string): string {
  if (name.length * 3 <= longestName) return name
  const bytes = Buffer.from(name)
  if (bytes.length <= longestName) return name
  let end = longestName
  // Not within a character: its later bytes are 10xxxxxx.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.toString('utf8', 0, end)
}
