import type { Published } from './published.ts'

/** A place that keeps one status document. */
export interface StatusStore {
  /** For people: `configmap/crm-lockstep in shop`, `file:/status/status.json`. */
  readonly name: string
  /** What it holds, or undefined where nothing is there yet. @throws {StatusTrouble} */
  read(stop: AbortSignal): Promise<string | undefined>
  /** Writes it whole or not at all. @throws {StatusTrouble} */
  write(published: Published, stop: AbortSignal): Promise<void>
}

/** Why a status cannot be read or written, in words that may be shown to anybody. */
export class StatusTrouble extends Error {
  /** Trying again in a moment does not help. */
  readonly isLasting: boolean
  /** Lines for people, what to do. */
  readonly more: readonly string[]
  /** The server has named a pause. */
  readonly pauseMs: number | undefined

  constructor(
    message: string,
    {
      isLasting = false,
      more = [],
      pauseMs,
    }: { isLasting?: boolean; more?: readonly string[]; pauseMs?: number | undefined } = {},
  ) {
    super(message)
    this.isLasting = isLasting
    this.more = more
    this.pauseMs = pauseMs
  }
}
