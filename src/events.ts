import type { Failure } from './failure.ts'

/**
 * The closed list of what the core tells. The core knows neither log nor cluster: the shell
 * decides who hears. `docs/events.md` lists the checkpoints; a test holds the two equal.
 */
export type Event =
  | { checkpoint: 'start'; programVersion: string; run: string; command: string }
  | {
      checkpoint: 'files'
      files: number
      dir: string
      first: string
      last: string
      baseline: string | undefined
    }
  | {
      checkpoint: 'database'
      address: string
      user: string
      serverVersion: string
      encryption: string
    }
  | { checkpoint: 'found'; tables: number; objects: number }
  | { checkpoint: 'waiting'; reason: string; waitedMs: number; more: readonly string[] }
  | { checkpoint: 'lock'; waitedMs: number }
  | { checkpoint: 'plan'; covered: readonly string[]; pending: readonly string[] }
  | {
      checkpoint: 'running'
      file: string
      runningMs: number
      waitEvent: string | undefined
      progress: Progress | undefined
    }
  | {
      checkpoint: 'blocked'
      file: string
      runningMs: number
      waitsFor: LockRequest | undefined
      blockers: readonly Blocker[]
    }
  | {
      checkpoint: 'retry'
      file: string
      reason: string
      pauseMs: number
      leftMs: number
      blockers: readonly Blocker[]
    }
  | { checkpoint: 'lost'; reason: string; file: string | undefined }
  | {
      checkpoint: 'step'
      file: string
      ordinal: number
      /** How many statements the file has. */
      of: number
      how: 'transaction' | 'alone'
      /** Of statements that PostgreSQL may refuse in a transaction: `VACUUM`. */
      kind: string | undefined
      durationMs: number
    }
  | {
      checkpoint: 'guard'
      tables: readonly GuardedTable[]
      /** Names that no table has yet. */
      missing: readonly string[]
    }
  | {
      checkpoint: 'applied'
      file: string
      durationMs: number
      covers: number
      warnings: number
      effects: Effects
      allowed: readonly AllowedLoss[]
    }
  | { checkpoint: 'note'; text: string }
  | { checkpoint: 'warning'; text: string }
  | { checkpoint: 'verified'; head: string; files: number; guarded: readonly GuardedTable[] }
  | { checkpoint: 'published'; target: string; state: string; version: string }
  | { checkpoint: 'failed'; failure: Failure }
  | { checkpoint: 'done'; outcome: Outcome; durationMs: number }

/** What a file did, as the transaction itself saw it before its COMMIT. */
export interface Effects {
  /** The most important first. */
  readonly tables: readonly TableEffect[]
  /** How many more there are. */
  readonly moreTables?: number
  readonly indexes: readonly { readonly index: string; readonly change: Change }[]
  readonly moreIndexes?: number
  /** From BEGIN to just before COMMIT. */
  readonly transactionMs: number
}

type Change = 'created' | 'dropped' | 'rewritten' | 'truncated'

/** What there is none of is left out. Counters count what a savepoint rolled back, too. */
export interface TableEffect {
  /** `crm.leads`, quoted where it must be. */
  readonly table: string
  readonly change?: Change
  /** The strongest lock, of those that keep others from something. */
  readonly lock?: string
  readonly inserted?: number
  readonly updated?: number
  readonly deleted?: number
  /** OID of the guarded table that it is, or is a part of. */
  readonly root?: number
}

/** What a file did to a guarded table because it is allowed to. */
export interface AllowedLoss {
  readonly table: string
  /** A word of `-- lockstep: allow`. */
  readonly what: string
  readonly rows?: number
  /** The keys of the rows were looked for; else it is what the counters of the transaction say. */
  readonly isExact?: boolean
  readonly columns?: readonly string[]
  /** Partitions and children that it is about. */
  readonly parts?: readonly string[]
  readonly cascadeFrom?: string
}

/** A name of LOCKSTEP_GUARD_TABLES and what stands behind it. */
export interface GuardedTable {
  readonly table: string
  /** Undefined where it cannot be counted. */
  readonly rows: number | undefined
  readonly isEstimate: boolean
  /** Behind the run: what stood there before it, and what its files did. */
  readonly before?: number | undefined
  readonly inserted?: number
  readonly deleted?: number
}

/** Of `pg_stat_progress_*`. PostgreSQL manual, 27.4. */
export interface Progress {
  /** `CREATE INDEX`, `VACUUM`, `CLUSTER`, `COPY`, `ANALYZE`. */
  readonly command: string
  readonly phase: string | undefined
  readonly percent: number | undefined
  readonly rows: number | undefined
}

/** A lock that is waited for: `ACCESS EXCLUSIVE` on `public.leads`. */
export interface LockRequest {
  readonly mode: string
  readonly on: string
}

/** Who stands in the way. A prepared transaction has no process: its pid is 0. */
export interface Blocker {
  readonly pid: number
  readonly application: string | undefined
  readonly user: string | undefined
  readonly state: string | undefined
  readonly stateMs: number | undefined
  readonly mode: string | undefined
  /** It holds that; else it waits for it in front of us. */
  readonly isHeld: boolean | undefined
}

/** How a run ended: the last line, the exit code. */
export type Outcome =
  | { kind: 'nothing-to-do'; files: number }
  | { kind: 'applied'; applied: number; covered: number }
  /** Of `adopt`: rows that are, or would be, written. */
  | { kind: 'adopted'; rows: number; isNothing: boolean; isWritten: boolean }
  /** Of `wait`: pods may start. `ahead` are files that the schema has and this image lacks. */
  | { kind: 'ready'; files: number; ahead: readonly string[] }
  | { kind: 'failed'; failure: Failure }

export type Checkpoint = Event['checkpoint']

/** Hears what the core tells. Never throws, never waits. */
export type Tell = (event: Event) => void
