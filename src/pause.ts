import { setTimeout as wait } from 'node:timers/promises'

/** Waits; a stop ends the wait at once, by throwing the reason of the stop. */
export async function pause(durationMs: number, stop: AbortSignal): Promise<void> {
  await wait(durationMs, undefined, { signal: stop }).catch((error: unknown) => {
    stop.throwIfAborted()
    throw error
  })
}
