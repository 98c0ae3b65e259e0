/**
 * `500ms`, `30s`, `15m`, `2h` as milliseconds, undefined for all else; 0 needs no unit. At most what a
 * timer and PostgreSQL's own time-outs can hold, some 24 days.
 */
export function readDuration(text: string): number | undefined {
  if (/^0+$/.test(text)) return 0
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? []
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''] ?? Number.NaN
  const durationMs = Number(digits) * unitMs
  return durationMs < 2 ** 31 ? durationMs : undefined
}
