import type { Directives } from './directives.ts'
import type { Meaning } from './meaning.ts'
import type { FileName } from './name.ts'

/** What the ledger keeps of a file. */
export interface Entry extends FileName {
  /** SHA-256 over the bytes, as 64 hexadecimal digits; empty where only the meaning is known. */
  readonly checksum: string
  readonly directives: Directives
  /** Made when first asked for: where every file is applied as it is nobody asks. */
  readonly meaning: Meaning
}
