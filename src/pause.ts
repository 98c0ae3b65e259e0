// Not of node:timers/promises: one more module to load, for a run that mostly finds nothing to do.

/** Ends when what has arrived until now has been seen to, and what is said to it has been sent. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    // The driver sends in the turn in which it has been asked to, behind whoever was waiting for that.
    setImmediate(() => setImmediate(resolve))
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
