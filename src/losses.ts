import { Failure } from './errors.ts'
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
  #wasInFile: string | undefined
  readonly #files = new Set<string>()

  constructor(connectWaitMs: number) {
    this.#connectWaitMs = connectWaitMs
  }

  /** The connection went while a file was under way; which one, the ledger will say. */
  inFile({ message }: Failure): void {
    this.#wasInFile = message
  }

  /**
   * Files are begun, the first that is not applied before all others.
   *
   * @throws {Failure} FILE_LOSES_CONNECTION
   */
  begin(file: string): void {
    const loss = this.#wasInFile
    this.#wasInFile = undefined
    this.#sinceMs = undefined
    this.#pauseMs = firstPauseMs
    if (loss === undefined) return
    if (this.#files.has(file)) {
      throw new Failure('FILE_LOSES_CONNECTION', `${file} has lost the connection twice: ${loss}`)
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
    if (this.#sinceMs !== undefined && nowMs - this.#sinceMs > this.#connectWaitMs) throw loss
    this.#sinceMs ??= nowMs
    await pause(this.#pauseMs * (0.5 + Math.random() / 2), stop)
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }
}
