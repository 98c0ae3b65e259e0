const form = 'postgres://USER:PASSWORD@HOST:5432/DATABASE'
const encode =
  'a character of / ? # % @ : in user name or password must be percent-encoded (# is %23)'

/**
 * The parameters of a connection URI by libpq's names, in their order (PostgreSQL manual, 34.1.1.2),
 * or what is wrong with it, told without a part of it.
 */
export function parseUri(uri: string): readonly (readonly [string, string])[] | string {
  if (uri.startsWith('jdbc:')) return `is a JDBC address; write ${form}`
  if (/^\s*\w+\s*=/.test(uri)) return `is a key=value string; write ${form}`
  const scheme = /^postgres(?:ql)?:\/\//.exec(uri)?.[0]
  if (scheme === undefined) return `does not begin with postgres:// or postgresql://; write ${form}`
  // A Secret that was made from a file ends in a line feed.
  const rest = uri.slice(scheme.length).trimEnd()
  const [, authority = '', behind = ''] = /^([^/?#]*)(.*)$/s.exec(rest) ?? []
  // The last @ ends the credentials: a password with a raw @ is read as it was meant.
  const at = authority.lastIndexOf('@')
  const credentials = /^([^:]*)(?::(.*))?$/s.exec(at === -1 ? '' : authority.slice(0, at))
  const places = authority
    .slice(at + 1)
    .split(',')
    .map((place) => /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/s.exec(place))
  const path = /^(?:\/([^?#]*))?(?:\?([^#]*))?$/s.exec(behind)
  const pairs = (path?.[2] ?? '').split('&').filter((pair) => pair !== '')
  // A raw / or ? in the password cuts it off before its @.
  const isCutOff = behind.includes('@') || pairs.some((pair) => !pair.includes('='))
  if (!credentials || !path || isCutOff || places.includes(null))
    return `cannot be read as ${form}; ${encode}`
  const parts: [string, string][] = [
    ['user', credentials[1] ?? ''],
    ['password', credentials[2] ?? ''],
    ['host', listOf(places.map((place) => place?.[1] ?? place?.[2] ?? ''))],
    ['port', listOf(places.map((place) => place?.[3] ?? ''))],
    ['dbname', path[1] ?? ''],
    ...pairs.map((pair): [string, string] => {
      const equals = pair.indexOf('=')
      return [pair.slice(0, equals), pair.slice(equals + 1)]
    }),
  ]
  try {
    return parts
      .filter(([name, value]) => name !== '' && value !== '')
      .map(([name, value]) => [decodeURIComponent(name), decodeURIComponent(value)] as const)
  } catch {
    return `holds a % that is not followed by two hexadecimal digits; ${encode}`
  }
}

/** Empty where every item is: then nothing was said. */
function listOf(items: readonly string[]): string {
  return items.some((item) => item !== '') ? items.join(',') : ''
}
