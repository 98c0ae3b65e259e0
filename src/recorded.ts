/** A row of the ledger, as far as deciding needs it. Rows come in the order of their ids. */
export interface LedgerRow {
  readonly id: number
  /** The id of the row before it, 0 for the first: the chain. */
  readonly previous: number
  /** Name of the file, its identity. */
  readonly name: string
  /** Over its bytes as applied; empty where only its meaning was known (a baseline’s deleted file). */
  readonly checksum: string
  /** As applied, then those that were adopted: a file of any of them is this one. */
  readonly meanings: readonly string[]
  readonly how: string
  /** Images without a file of this version, in digits, are refused. */
  readonly breaksBefore: string | null
  /** Ids of the rows whose files the applying image did not have. */
  readonly over: readonly number[]
  readonly finished: boolean
  /** False only for a relaxed commit: visible, but not certain to survive a crash. */
  readonly flushed: boolean
  /** Short digests of its statements, to tell an edit in words; read only when one is to be told. */
  readonly digests?: string | undefined
}

/** A statement of a half-done file: begun, or done for good. */
export interface Step {
  readonly file: string
  /** From 1 on. */
  readonly ordinal: number
  readonly meaning: string
  readonly state: string
}

export const stepDone = 'done'

/** What the database knows of runs before. */
export interface Recorded {
  readonly rows: readonly LedgerRow[]
  /** Of files that are begun and not applied, in the order of file and ordinal. */
  readonly steps: readonly Step[]
  /** A run has succeeded on this ledger, or adopted it: there may be an application that uses it. */
  readonly hasSucceeded: boolean
}

export const nothingRecorded: Recorded = { rows: [], steps: [], hasSucceeded: false }
