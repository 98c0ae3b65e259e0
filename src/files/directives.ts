/** What the `-- lockstep:` lines of a file's header ask for. */
export interface Directives {
  /** Statements run one by one, each in a transaction of its own where PostgreSQL allows one. */
  readonly noTransaction: boolean
  /** Waits for the phase after the rollout. */
  readonly afterRollout: boolean
  /** Images without a file of this version are refused from here on. */
  readonly breaksBefore: bigint | undefined
  /** PostgreSQL's settings for this file, in milliseconds; undefined for those of the run. */
  readonly lockTimeoutMs: number | undefined
  readonly statementTimeoutMs: number | undefined
}

export const noDirectives: Directives = {
  noTransaction: false,
  afterRollout: false,
  breaksBefore: undefined,
  lockTimeoutMs: undefined,
  statementTimeoutMs: undefined,
}
