import { Failure } from './failure.ts'
import { pause } from './pause.ts'

/** Between a loss and the next connection, so that a server that drops us at once is not hammered. */
const firstPauseMs = 50
const longestPauseMs = 5_000

/**
 * Lost connections of a run. Losses while waiting may go on for as long as a database may be
 * unreachable; a file that loses its connection is tried once more and not for ever, since it may be
 * what makes the server run out of memory.
 */
export class Losses {
  readonly #connectWaitMs: number
  /** Of the first loss since files were last begun. */
  #sinceMs: number | undefined
  #pauseMs = firstPauseMs
  #cut: { readonly file: string | undefined; readonly message: string } | undefined
  /** When the last connection could be made. */
  #goodMs = Number.NEGATIVE_INFINITY
  readonly #files = new Set<string>()

  constructor(connectWaitMs: number) {
    this.#connectWaitMs = connectWaitMs
  }

  /** The connection went while a file was under way; whether it is applied, the ledger will say. */
  inFile({ message }: Failure, file: string | undefined): void {
    this.#cut = { file, message }
  }

  /**
   * Files are begun, the first that is not applied before all others.
   *
   * @throws {Failure} FILE_LOSES_CONNECTION
   */
  begin(file: string): void {
    const cut = this.#cut
    this.#cut = undefined
    this.#sinceMs = undefined
    // Another file is at its turn: the one that was under way is applied, only its answer was lost.
    if (cut?.file !== file) return
    if (this.#files.has(file)) {
      const reason = `${file} has lost the connection twice: ${cut.message}`
      throw new Failure('FILE_LOSES_CONNECTION', reason)
    }
    this.#files.add(file)
  }

  /**
   * Waits before the next connection; the first loss is always followed by one.
   *
   * @throws {Failure} the loss itself, when there were losses for too long; the reason of `stop`
   */
  async wait(loss: Failure, stop: AbortSignal): Promise<void> {
    const nowMs = performance.now()
    // A connection that has held for so long was a good one: this loss is another story.
    if (nowMs - this.#goodMs > this.#connectWaitMs) this.#sinceMs = undefined
    if (this.#sinceMs === undefined) this.#pauseMs = firstPauseMs
    else if (nowMs - this.#sinceMs > this.#connectWaitMs) throw loss
    this.#sinceMs ??= nowMs
    await pause(this.#pauseMs * (0.5 + Math.random() / 2), stop)
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
    this.#goodMs = performance.now()
  }
}
