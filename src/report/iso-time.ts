/** What `toISOString` says, for the years of four digits; that one loads the time zones first. */
export function isoTime(at: Date): string {
  const day = [at.getUTCFullYear(), two(at.getUTCMonth() + 1), two(at.getUTCDate())].join('-')
  const time = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(':')
  return `${day}T${time}.${String(at.getUTCMilliseconds()).padStart(3, '0')}Z`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
