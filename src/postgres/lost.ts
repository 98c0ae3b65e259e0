let isLost = false

/** Told of each session of this process that ended before it was closed. */
export function noteLoss(): void {
  isLost = true
}

/** After a loss the driver may throw from a timer, where nobody can catch it (porsager/postgres#1066, #1133). */
export function hasLostSession(): boolean {
  return isLost
}
