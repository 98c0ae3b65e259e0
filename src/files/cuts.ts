import type { Place } from './bytes.ts'
import type { Stretch } from './stretches.ts'
import { Walk } from './walk.ts'

export const pieceBytes = 2 ** 17

/** Where a piece of a text begins. */
export interface Cut extends Place {
  /** Its first byte, and its first code unit of the text. */
  readonly at: number
  readonly unit: number
}

/** Finds where a text is cut: in front of the first statement behind each so many bytes. */
export class Cuts {
  readonly all: [Cut, ...Cut[]]
  readonly #walk = new Walk()
  #at: number
  #unit = 0

  constructor(at: number) {
    this.#at = at
    this.all = [{ at, unit: 0, line: 1, column: 1 }]
  }

  add({ text, statements }: Stretch): void {
    let from = 0
    for (const { start } of statements) {
      const last = this.all.at(-1)?.at ?? 0
      // Code units are at least as many bytes, which take longer to count.
      if (this.#at + start - from - last < pieceBytes) continue
      this.#over(text.slice(from, start))
      from = start
      this.all.push({ at: this.#at, unit: this.#unit, ...this.#walk.place })
    }
    this.#over(text.slice(from))
  }

  #over(text: string): void {
    this.#at += Buffer.byteLength(text)
    this.#unit += text.length
    this.#walk.over(text)
  }
}
