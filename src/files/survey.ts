import type { Place } from './bytes.ts'
import { strayDirectives, type StrayDirective } from './header.ts'
import { GrowingMeaning, type Meaning } from './meaning.ts'
import { ScriptReader, type Script } from './script.ts'
import type { Stretch } from './stretches.ts'
import { Walk } from './walk.ts'

export const pieceBytes = 2 ** 17
/** Of more statements nobody asks for the meaning of each. */
const mostMeanings = 1_000

/** What is known of a large text when all its statements have been seen. */
export interface Known {
  readonly meaning: Meaning
  /** Of statements. */
  readonly count: number
  /** As one transaction. */
  readonly script: Script
  /** The first stretch. */
  readonly head: string
  /** The first piece begins at the first, the last ends with the file. */
  readonly cuts: readonly [Cut, ...Cut[]]
}

/** Where a piece begins. */
interface Cut extends Place {
  /** Its first byte, and its first code unit behind a byte order mark. */
  readonly at: number
  readonly unit: number
}

/** One look at all statements, for everybody who wants to know something of them. */
export class Survey {
  readonly #meaning = new GrowingMeaning(mostMeanings)
  readonly #script = new ScriptReader(false)
  readonly #cuts: Cuts
  #head: string | undefined

  /** @param at - byte at which the text begins */
  constructor(at: number) {
    this.#cuts = new Cuts(at)
  }

  /** There is a COPY from the client: what stands behind it may be no SQL. */
  get meetsData(): boolean {
    return this.#script.meetsData
  }

  /** Returns where a directive stands too low to be one. */
  see(stretch: Stretch): StrayDirective | undefined {
    const [stray] = strayDirectives(stretch.text, this.#head === undefined)
    this.#head ??= stretch.text
    this.#meaning.add(stretch.text, stretch.statements)
    this.#cuts.add(stretch)
    this.#script.see(stretch)
    return stray
  }

  known(): Known {
    return {
      meaning: this.#meaning.whole(),
      count: this.#meaning.count,
      script: this.#script.script(),
      head: this.#head ?? '',
      cuts: this.#cuts.all,
    }
  }
}

/** Finds where a text is cut: in front of the first statement behind each so many bytes. */
class Cuts {
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
