import { isBlank, isLetterE, isLetterU, isWordPart, Shape, shapes } from './characters.ts'

/** What a token is. Comments and white space are none. */
export type TokenKind =
  /** Keyword or name without quotes. */
  | 'word'
  /** `"name"`, `U&"name"`. */
  | 'name'
  /** `'text'` with any prefix and continuation, `$tag$text$tag$`. */
  | 'string'
  /** `12`, `1.5e3`, `0xff`, and `$1`. */
  | 'number'
  /** `<=`, `::`, and whatever else is made of the characters of operators. */
  | 'operator'
  /** One of `( ) [ ] , ; . :` or a character that PostgreSQL does not know. */
  | 'mark'
  /** A command of psql, from its backslash to the end of the line. */
  | 'meta'

/** A quote or a comment that has no end: where it begins. */
export interface Unclosed {
  readonly what: 'string' | 'name' | 'dollar quote' | 'comment'
  readonly at: number
}

/**
 * Cuts SQL into tokens as PostgreSQL does (src/backend/parser/scan.l), with
 * `standard_conforming_strings` on, which each session of ours sets. It knows no grammar.
 *
 * A cursor without garbage: `next` moves it, then `kind`, `start` and `end` (code units of the text)
 * tell of one token. At the end of the text `unclosed` says whether something was left open.
 */
export class Lexer {
  kind: TokenKind = 'mark'
  start = 0
  end: number
  unclosed: Unclosed | undefined
  readonly #text: string

  constructor(text: string, from = 0) {
    this.#text = text
    this.end = from
  }

  /** False at the end of the text. */
  next(): boolean {
    const text = this.#text
    const start = this.#skipBlank()
    this.start = start
    if (start >= text.length) return false
    const code = text.charCodeAt(start)
    const shape = code < 128 ? (shapes[code] ?? Shape.mark) : Shape.word
    switch (shape) {
      case Shape.word:
        return this.#word(code)
      case Shape.digit:
        return this.#sticky('number', number)
      case Shape.quote:
        return this.#string(start, false)
      case Shape.doubleQuote:
        return this.#name(start)
      case Shape.dollar:
        return this.#dollar()
      case Shape.operator:
        return this.#operator()
      case Shape.dot:
        return this.#dot()
      case Shape.colon:
        return this.#colon()
      case Shape.backslash:
        return this.#sticky('meta', restOfLine)
      default:
        return this.#is('mark', start + 1)
    }
  }

  #is(kind: TokenKind, end: number): boolean {
    this.kind = kind
    this.end = end
    return true
  }

  #open(what: Unclosed['what'], kind: TokenKind): boolean {
    this.unclosed = { what, at: this.start }
    return this.#is(kind, this.#text.length)
  }

  #sticky(kind: TokenKind, pattern: RegExp): boolean {
    pattern.lastIndex = this.start
    pattern.test(this.#text)
    return this.#is(kind, Math.max(pattern.lastIndex, this.start + 1))
  }

  /** Behind white space and comments. */
  #skipBlank(): number {
    const text = this.#text
    let at = this.end
    for (;;) {
      const code = text.charCodeAt(at)
      if (isBlank(code)) at += 1
      else if (code === minus && text.charCodeAt(at + 1) === minus) at = lineEnd(text, at)
      else if (code === slash && text.charCodeAt(at + 1) === star) {
        const end = commentEnd(text, at)
        if (end === -1) {
          this.unclosed = { what: 'comment', at }
          return text.length
        }
        at = end
      } else return at
    }
  }

  #word(code: number): boolean {
    const text = this.#text
    const start = this.start
    const next = text.charCodeAt(start + 1)
    if (next === quote && stringPrefixes.has(code))
      return this.#string(start + 1, isLetterE(code), !bitPrefixes.has(code))
    if (next === ampersand && isLetterU(code)) {
      const third = text.charCodeAt(start + 2)
      if (third === quote) return this.#string(start + 2, false)
      if (third === doubleQuote) return this.#name(start + 2)
    }
    let at = start + 1
    while (isWordPart(text.charCodeAt(at))) at += 1
    return this.#is('word', at)
  }

  /**
   * @param at - of its first quote
   * @param doubles - whether two quotes are one within it; a bit string ends at the first
   */
  #string(at: number, hasEscapes: boolean, doubles = true): boolean {
    const text = this.#text
    let from = at + 1
    for (;;) {
      const close = hasEscapes ? escapedEnd(text, from) : text.indexOf("'", from)
      if (close === -1) return this.#open('string', 'string')
      from = close + 1
      const next = text.charCodeAt(from)
      if (next === quote) {
        if (!doubles) return this.#is('string', from)
        from += 1
      } else if (isBlank(next) || next === minus) {
        // A string goes on behind a line break (PostgreSQL manual, 4.1.2.1), with the same escapes.
        continuation.lastIndex = from
        if (!continuation.test(text)) return this.#is('string', from)
        from = continuation.lastIndex
      } else return this.#is('string', from)
    }
  }

  /** @param at - of its first quote */
  #name(at: number): boolean {
    const text = this.#text
    for (let from = at + 1; ;) {
      const close = text.indexOf('"', from)
      if (close === -1) return this.#open('name', 'name')
      if (text.charCodeAt(close + 1) !== doubleQuote) return this.#is('name', close + 1)
      from = close + 2
    }
  }

  #dollar(): boolean {
    const text = this.#text
    dollarTag.lastIndex = this.start
    if (dollarTag.test(text)) {
      const from = dollarTag.lastIndex
      const close = text.indexOf(text.slice(this.start, from), from)
      if (close === -1) return this.#open('dollar quote', 'string')
      return this.#is('string', close + from - this.start)
    }
    return this.#sticky('number', parameter)
  }

  #operator(): boolean {
    const text = this.#text
    let at = this.start + 1
    for (; ; at += 1) {
      const code = text.charCodeAt(at)
      if (!(code < 128 && shapes[code] === Shape.operator)) break
      const next = text.charCodeAt(at + 1)
      if ((code === minus && next === minus) || (code === slash && next === star)) break
    }
    return this.#is('operator', this.#withoutSigns(at))
  }

  /** Signs at its end belong to what follows, as in `a=-1`, but not where SQL knows no such operator. */
  #withoutSigns(until: number): number {
    const text = this.#text
    let end = until
    for (; end > this.start + 1; end -= 1) {
      const last = text.charCodeAt(end - 1)
      if (last !== plus && last !== minus) return end
      // Looked at once: it is the same for each sign.
      if (end === until && foreignOperator.test(text.slice(this.start, until))) return until
    }
    return end
  }

  #dot(): boolean {
    const next = this.#text.charCodeAt(this.start + 1)
    if (next < 128 && shapes[next] === Shape.digit) return this.#sticky('number', number)
    if (next === dot) return this.#is('operator', this.start + 2)
    return this.#is('mark', this.start + 1)
  }

  /** `::`, `:=`, or a colon by itself, as in `a[1:-1]`. */
  #colon(): boolean {
    const next = this.#text.charCodeAt(this.start + 1)
    const isPair = next === colon || next === equals
    return isPair ? this.#is('operator', this.start + 2) : this.#is('mark', this.start + 1)
  }
}

const [quote, doubleQuote, ampersand, minus, slash, star] = [0x27, 0x22, 0x26, 0x2d, 0x2f, 0x2a]
const [plus, dot, colon, equals] = [0x2b, 0x2e, 0x3a, 0x3d]

const stringPrefixes = new Set(Buffer.from('eEbBxXnN'))
const bitPrefixes = new Set(Buffer.from('bBxX'))
const continuation = /(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y
const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y
const parameter = /\$[0-9]+/y
const number =
  /0[xX](?:_?[0-9A-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9](?:_?[0-9])*(?:\.(?!\.)(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)(?:[eE][+-]?[0-9](?:_?[0-9])*)?/y
/** One of these characters makes an operator that SQL does not know (scan.l, `operator`). */
const foreignOperator = /[~!@#^&|`?%]/
const restOfLine = /[^\n\r]*/y

function lineEnd(text: string, from: number): number {
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === 0x0a || code === 0x0d) break
    at += 1
  }
  return at
}

/** Comments nest. -1 if the comment has no end. */
function commentEnd(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    const next = text.charCodeAt(at + 1)
    if (code === slash && next === star) {
      depth += 1
      at += 1
    } else if (code === star && next === slash) {
      depth -= 1
      at += 1
      if (depth === 0) return at + 1
    }
  }
  return -1
}

/** The closing quote of a string in which a backslash takes the next character, -1 for none. */
function escapedEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 0x5c) at += 1
    else if (code === quote) return at
  }
  return -1
}
