const waits = [
  'LOCKSTEP_CONNECT_WAIT',
  'LOCKSTEP_RUNNER_WAIT',
  'LOCKSTEP_RETRY_WAIT',
  'LOCKSTEP_GATE_WAIT',
  'LOCKSTEP_ROLLOUT_WAIT',
] as const

/** Waits that were asked for, and that the deadline cuts. */
export function cutWaits(
  env: Readonly<Record<string, string | undefined>>,
  values: Readonly<Record<(typeof waits)[number] | 'LOCKSTEP_DEADLINE', number>>,
): string[] {
  const deadlineMs = values.LOCKSTEP_DEADLINE
  return waits
    .filter((name) => env[name] !== undefined && deadlineMs > 0 && values[name] > deadlineMs)
    .map((name) => `${name} is longer than LOCKSTEP_DEADLINE, which cuts it`)
}
