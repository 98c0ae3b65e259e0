import { readFileDirectives, type DirectiveProblem, type Directives } from './directives.ts'
import type { Entry } from './entry.ts'
import type { ReadText } from './content.ts'
import type { Meaning } from './meaning.ts'
import type { FileName } from './name.ts'
import { headerOf, keptText, meaningOfText, type Text } from './text.ts'

/** One SQL file: what is hashed is what is sent. */
export interface Migration extends Entry {
  readonly text: Text
}

export class SqlFile implements Migration {
  readonly file: string
  readonly version: bigint
  readonly text: Text
  readonly checksum: string
  readonly directives: Directives
  /** What is wrong with its directives. */
  readonly problems: readonly DirectiveProblem[]
  #meaning: Meaning | undefined

  constructor(
    { file, version }: FileName,
    { text, checksum }: Pick<ReadText, 'text' | 'checksum'>,
  ) {
    this.file = file
    this.version = version
    this.checksum = checksum
    const { directives, problems } = readFileDirectives(headerOf(text))
    this.directives = directives
    this.text = directives.noTransaction ? keptText(text) : text
    this.problems = problems
  }

  get meaning(): Meaning {
    return (this.#meaning ??= meaningOfText(this.text))
  }
}
