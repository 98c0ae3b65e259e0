import { Failure } from './failure.ts'
import type { Blocker, Tell } from './events.ts'
import { blockerText } from './phrases.ts'

const firstPauseMs = 100
const longestPauseMs = 5_000

/** How often a file is tried again that met a lock or a deadlock: with growing, jittered pauses, for so long in all. */
export class Patience {
  readonly #retryWaitMs: number
  readonly #tell: Tell
  #file: string | undefined
  #sinceMs = 0
  #tries = 0

  constructor(retryWaitMs: number, tell: Tell) {
    this.#retryWaitMs = retryWaitMs
    this.#tell = tell
  }

  /**
   * How long to pause before the file is tried again; says so, and who was in the way.
   *
   * @throws {Failure} the failure itself, when patience is over
   */
  pauseMs(file: string, failure: Failure, blockers: readonly Blocker[]): number {
    const nowMs = performance.now()
    if (file !== this.#file) {
      this.#file = file
      this.#sinceMs = nowMs
      this.#tries = 0
    }
    const growingMs = Math.min(firstPauseMs * 2 ** this.#tries, longestPauseMs)
    const pauseMs = growingMs * (0.5 + Math.random() / 2)
    const leftMs = this.#sinceMs + this.#retryWaitMs - nowMs - pauseMs
    this.#tries += 1
    if (leftMs < 0) {
      const inTheWay = blockers.map((blocker) => `in the way: ${blockerText(blocker)}`)
      throw new Failure(failure.code, failure.message, [...inTheWay, ...failure.more])
    }
    const reason = failure.message
    this.#tell({ checkpoint: 'retry', file, reason, pauseMs, leftMs, blockers })
    return pauseMs
  }
}
