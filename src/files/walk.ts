import { codePoints, type Place } from './bytes.ts'

/** Goes over a text part by part and knows its place; CR, LF and CR LF end a line. */
export class Walk {
  #line: number
  #column: number
  #isBehindReturn = false

  constructor({ line, column }: Place = { line: 1, column: 1 }) {
    this.#line = line
    this.#column = column
  }

  get place(): Place {
    return { line: this.#line, column: this.#column }
  }

  over(text: string): void {
    if (text === '') return
    // The LF of a CR LF that was cut in two does not count again.
    let from = this.#isBehindReturn && text.startsWith('\n') ? 1 : 0
    this.#isBehindReturn = text.endsWith('\r')
    const hasReturns = text.includes('\r')
    for (;;) {
      const end = hasReturns ? lineEnd(text, from) : text.indexOf('\n', from) + 1
      if (end === 0) break
      this.#line += 1
      this.#column = 1
      from = end
    }
    this.#column += codePoints(text.slice(from))
  }
}

/** Behind the next end of a line, 0 for none. */
function lineEnd(text: string, from: number): number {
  anyEnd.lastIndex = from
  return anyEnd.test(text) ? anyEnd.lastIndex : 0
}

const anyEnd = /\r\n|\r|\n/g
