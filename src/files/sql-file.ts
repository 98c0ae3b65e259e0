import { readFileDirectives, type DirectiveProblem, type Directives } from './directives.ts'
import type { Entry } from './entry.ts'
import { meaningOf, type Meaning } from './meaning.ts'
import type { FileName } from './name.ts'

/** One SQL file, read once: what is hashed is what is sent. */
export interface Migration extends Entry {
  readonly text: string
}

export interface Text {
  readonly text: string
  readonly checksum: string
}

export class SqlFile implements Migration {
  readonly file: string
  readonly version: bigint
  readonly text: string
  readonly checksum: string
  readonly directives: Directives
  /** What is wrong with its directives. */
  readonly problems: readonly DirectiveProblem[]
  #meaning: Meaning | undefined

  constructor({ file, version }: FileName, { text, checksum }: Text) {
    this.file = file
    this.version = version
    this.text = text
    this.checksum = checksum
    const { directives, problems } = readFileDirectives(text)
    this.directives = directives
    this.problems = problems
  }

  get meaning(): Meaning {
    return (this.#meaning ??= meaningOf(this.text))
  }
}
