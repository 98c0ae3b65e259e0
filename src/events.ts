import type { Failure } from './errors.ts'

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
  | { checkpoint: 'running'; file: string; runningMs: number }
  | { checkpoint: 'applied'; file: string; durationMs: number; covers: number }
  | { checkpoint: 'note'; text: string }
  | { checkpoint: 'warning'; text: string }
  | { checkpoint: 'verified'; head: string; files: number }
  | { checkpoint: 'failed'; failure: Failure }
  | { checkpoint: 'done'; outcome: Outcome; durationMs: number }

/** How a run ended: the last line, the exit code. */
export type Outcome =
  | { kind: 'nothing-to-do'; files: number }
  | { kind: 'applied'; applied: number; covered: number }
  | { kind: 'failed'; failure: Failure }

export type Checkpoint = Event['checkpoint']

/** Hears what the core tells. Never throws, never waits. */
export type Tell = (event: Event) => void
