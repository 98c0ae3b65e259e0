// Not of node:timers/promises: one more module to load, for a run that mostly finds nothing to do.

/** Ends when all that has arrived until now has been seen to. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Waits; a stop ends the wait at once, by throwing the reason of the stop. */
export async function pause(durationMs: number, stop?: AbortSignal): Promise<void> {
  stop?.throwIfAborted()
  const { promise: over, resolve } = Promise.withResolvers<unknown>()
  const timer = setTimeout(resolve, durationMs)
  stop?.addEventListener('abort', resolve)
  await over
  clearTimeout(timer)
  stop?.removeEventListener('abort', resolve)
  stop?.throwIfAborted()
}
