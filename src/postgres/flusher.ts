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

  /** Whether all that has been committed until now is on the disk; false also when `stop` comes first. */
  async flush(stop: AbortSignal): Promise<boolean> {
    const beside = (this.#beside ??= this.#on.beside(this.#name, stop))
    // Something must be written, or there is no commit to wait for.
    const written = beside.then((session) =>
      session.query(`select pg_catalog.pg_logical_emit_message(true, 'lockstep', '')`),
    )
    const stopped = new Promise<never>((_, reject) => {
      stop.addEventListener('abort', () => reject(new Error('too late')), { once: true })
    })
    try {
      await Promise.race([written, stopped])
      return true
    } catch {
      // The next flush opens another.
      this.#beside = undefined
      beside.then((session) => session[Symbol.asyncDispose](), ignore).catch(ignore)
      return false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#beside?.then((session) => session[Symbol.asyncDispose](), ignore)
  }
}

function ignore(): void {
  // There is no session to end.
}
