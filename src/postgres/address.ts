/** Where to migrate. The password is here and nowhere else; nothing prints this object whole. */
export interface Address {
  /** Host name or IP address; the folder of the socket if it begins with `/`. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly sslMode: SslMode
  /** File with the certificates to trust instead of the system's. */
  readonly sslRootCert: string | undefined
  /** Command-line options for the backend, as in `-c role=owner`. */
  readonly options: string | undefined
  /** How long one try to connect may take. */
  readonly connectTimeoutMs: number
}

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
type SslMode = (typeof sslModes)[number]

export interface ReadAddress {
  readonly address: Address | undefined
  /** What is wrong, never with the value: it may hold the password. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** Connection parameters by libpq's names (PostgreSQL manual, 34.1.2), each from its source. */
type Parameters = Partial<Record<string, string>>

const variablesOfParameters: Record<string, string> = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  options: 'PGOPTIONS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
}

/** Reads `DATABASE_URL`, and the `PG*` variables for whatever the URL leaves open, as libpq does. */
export function readAddress(env: Readonly<Record<string, string | undefined>>): ReadAddress {
  const url = env['DATABASE_URL']
  const parameters: Parameters = {}
  for (const [name, variable] of Object.entries(variablesOfParameters)) {
    const value = env[variable]
    if (value !== undefined) parameters[name] = value
  }
  if (url === undefined && parameters['host'] === undefined) {
    return failed('DATABASE_URL is not set (nor PGHOST): where is the database?')
  }
  if (url === undefined) return build(parameters, [])
  const parsed = parseUrl(url)
  if (typeof parsed === 'string') return failed(`DATABASE_URL ${parsed}`)
  const known = Object.entries(parsed).filter(([name]) =>
    Object.hasOwn(variablesOfParameters, name),
  )
  const ignored = Object.keys(parsed).filter(
    (name) => !Object.hasOwn(variablesOfParameters, name) && name !== 'application_name',
  )
  const warnings = ignored.map(
    (name) => `the parameter ${JSON.stringify(name)} of DATABASE_URL is ignored`,
  )
  return build({ ...parameters, ...Object.fromEntries(known) }, warnings)
}

function failed(...problems: string[]): ReadAddress {
  return { address: undefined, problems, warnings: [] }
}

function build(parameters: Parameters, warnings: readonly string[]): ReadAddress {
  const host = parameters['host'] ?? 'localhost'
  const port = wholeNumber(parameters['port'] ?? '5432')
  const sslMode = sslModes.find((mode) => mode === (parameters['sslmode'] ?? 'prefer'))
  const connectTimeoutS = wholeNumber(parameters['connect_timeout'] ?? '10')
  const user = parameters['user']
  const problems: string[] = []
  if (host.includes(','))
    problems.push('the address names several hosts; this release connects to one')
  if (!(port >= 1 && port <= 65_535)) {
    problems.push('the port of the database is not a number from 1 to 65535')
  }
  if (sslMode === undefined) problems.push(`sslmode is none of ${sslModes.join(', ')}`)
  if (!(connectTimeoutS < 2 ** 31 / 1000)) {
    problems.push('connect_timeout is not a whole number of seconds')
  }
  if (user === undefined)
    problems.push('the address names no user: postgres://USER@HOST/DATABASE, or PGUSER')
  if (problems.length > 0 || sslMode === undefined || user === undefined) {
    return { address: undefined, problems, warnings }
  }
  return {
    address: {
      host,
      port,
      user,
      password: parameters['password'] ?? '',
      database: parameters['dbname'] ?? user,
      sslMode,
      sslRootCert: parameters['sslrootcert'],
      options: parameters['options'],
      connectTimeoutMs: (connectTimeoutS || 10) * 1000,
    },
    problems: [],
    warnings,
  }
}

function wholeNumber(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
}

const form = 'postgres://USER:PASSWORD@HOST:5432/DATABASE'
const encode =
  'a character of / ? # % @ : in user name or password must be percent-encoded (# is %23)'

/** The parameters of a connection URI, or what is wrong with it, without a part of it. */
function parseUrl(url: string): Parameters | string {
  if (url.startsWith('jdbc:')) return `is a JDBC address; write ${form}`
  if (/^\s*\w+\s*=/.test(url)) return `is a key=value string; write ${form}`
  const scheme = /^postgres(?:ql)?:\/\//.exec(url)?.[0]
  if (scheme === undefined) return `does not begin with postgres:// or postgresql://; write ${form}`
  // A Secret that was made from a file ends in a line feed.
  const rest = url.slice(scheme.length).trimEnd()
  const [, authority = '', behind = ''] = /^([^/?#]*)(.*)$/s.exec(rest) ?? []
  // The last @ ends the credentials: a password with a raw @ is read as it was meant.
  const at = authority.lastIndexOf('@')
  const credentials = /^([^:]*)(?::(.*))?$/s.exec(at === -1 ? '' : authority.slice(0, at))
  const place = /^(\[[^\]]*\]|[^:]*|.*,.*)(?::([^,]*))?$/s.exec(authority.slice(at + 1))
  const path = /^(?:\/([^?#]*))?(?:\?([^#]*))?$/s.exec(behind)
  const pairs = (path?.[2] ?? '').split('&').filter((pair) => pair !== '')
  // A raw / or ? in the password cuts it off before its @.
  const isCutOff = behind.includes('@') || pairs.some((pair) => !pair.includes('='))
  const hasOddPort = !/^\d*$/.test(place?.[2] ?? '')
  if (!credentials || !place || !path || isCutOff || hasOddPort)
    return `cannot be read as ${form}; ${encode}`
  const parts: [string, string][] = [
    ['user', credentials[1] ?? ''],
    ['password', credentials[2] ?? ''],
    ['host', (place[1] ?? '').replace(/^\[(.*)\]$/, '$1')],
    ['port', place[2] ?? ''],
    ['dbname', path[1] ?? ''],
    ...pairs.map((pair): [string, string] => {
      const equals = pair.indexOf('=')
      return [pair.slice(0, equals), pair.slice(equals + 1)]
    }),
  ]
  const given = parts.filter(([name, value]) => name !== '' && value !== '')
  try {
    const decoded = given.map(([name, value]): [string, string] => [
      name,
      decodeURIComponent(value),
    ])
    const hasNul = decoded.some(([, value]) => value.includes('\0'))
    return hasNul ? 'holds %00, which no part of an address may' : Object.fromEntries(decoded)
  } catch {
    return `holds a % that is not followed by two hexadecimal digits; ${encode}`
  }
}

/** The address for people: never user or password. */
export function describeAddress(address: Address): string {
  const isSocket = address.host.startsWith('/')
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return isSocket ? `${host}/${address.database}` : `${host}:${address.port}/${address.database}`
}
