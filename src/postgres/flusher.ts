import type { Session } from './session.ts'

/**
 * Makes durable what others have committed, while their session is busy: a synchronous commit flushes
 * the write-ahead log up to its own place in it. From a connection of its own that is opened when it
 * is needed.
 */
export class Flusher implements AsyncDisposable {
  readonly #on: Session
  readonly #name: string
  #beside: Promise<Session> | undefined

  /**
   * @param on - the session beside which it works
   * @param name - the application name of its connection
   */
  constructor(on: Session, name: string) {
    this.#on = on
    this.#name = name
  }

  /** Rejects where it cannot be known that all is on the disk, or when `stop` says so. */
  async flush(stop: AbortSignal): Promise<void> {
    const beside = (this.#beside ??= this.#on.beside(this.#name, stop))
    try {
      // Something must be written, or there is no commit to wait for.
      await (await beside).query(`select pg_catalog.pg_logical_emit_message(true, 'lockstep', '')`)
    } catch (error) {
      // The next flush opens another.
      this.#beside = undefined
      await beside.then((session) => session[Symbol.asyncDispose](), ignore)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#beside?.then((session) => session[Symbol.asyncDispose](), ignore)
  }
}

function ignore(): void {
  // There is no session to end.
}
