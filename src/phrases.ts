import type { Blocker, Progress } from './events.ts'

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** `12 ms`, and from a second on as `seconds` has it. */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : seconds(ms)
}

/** `1.2 s`, `119 s`, `3 m 10 s`, `47 h 30 m`, `2 d 1 h`. */
export function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  const whole = Math.round(ms / 1000)
  const minutes = Math.floor(whole / 60)
  if (whole < 120) return `${whole} s`
  if (minutes < 120) return `${minutes} m ${whole % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `building index: scanning table, 62 %`, or what it waits for, as far as the server tells. */
export function doing({
  waitEvent,
  progress,
}: {
  readonly waitEvent: string | undefined
  readonly progress: Progress | undefined
}): string | undefined {
  if (progress === undefined) return waitEvent === undefined ? undefined : `waits for ${waitEvent}`
  const { command, phase, percent, rows } = progress
  const parts = [
    phase ?? command,
    percent === undefined ? undefined : `${percent} %`,
    rows === undefined ? undefined : count(rows, 'row'),
  ]
  return parts.filter((part) => part !== undefined).join(', ')
}

/** `pid 8123 (application backend, user crm)`. */
export function sessionName({
  pid,
  application,
  user,
}: Pick<Blocker, 'pid' | 'application' | 'user'>): string {
  const names = [
    application === undefined || application === '' ? [] : [`application ${application}`],
    user === undefined ? [] : [`user ${user}`],
  ].flat()
  return names.length === 0 ? `pid ${pid}` : `pid ${pid} (${names.join(', ')})`
}

/** `pid 8123 (application backend, user crm) holds ACCESS SHARE, idle in transaction for 3 m 10 s`. */
export function blockerText(blocker: Blocker): string {
  const { pid, state, stateMs, mode, isHeld } = blocker
  if (pid === 0) return 'a prepared transaction, which COMMIT PREPARED or ROLLBACK PREPARED ends'
  const verb = isHeld === true ? 'holds' : 'waits in front for'
  const holds = mode === undefined ? '' : ` ${verb} ${mode}`
  const since = stateMs === undefined ? '' : ` for ${seconds(stateMs)}`
  const does =
    state === undefined
      ? '; what it does is hidden from this role: grant pg_read_all_stats to it'
      : `, ${state}${since}`
  return `${sessionName(blocker)}${holds}${does}`
}
