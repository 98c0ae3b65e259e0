import type { Sight } from './gate.ts'

/** A reason to wait: nothing can be seen at the moment, or not be believed. */
export interface Obstacle {
  readonly reason: string
  readonly more: readonly string[]
}

/** Where a gate looks. */
export interface GateView extends AsyncDisposable {
  /** @throws {Failure} what waiting cannot mend */
  look(stop: AbortSignal): Promise<Sight | Obstacle>
  /** Waits so long, or until there may be something new to see. */
  rest(ms: number, stop: AbortSignal): Promise<void>
}
