import { isIP } from 'node:net'
import { join } from 'node:path'
import { readParameters, type Env, type Parameter } from './parameters.ts'
import { passwordIn, readPasswordFile } from './password-file.ts'
import { readTlsTerms, type TlsTerms } from './tls-terms.ts'

/** One place to migrate. The password is here and nowhere else; nothing prints this object whole. */
export interface Address {
  /** Host name or IP address; the folder of the socket if it begins with `/`. */
  readonly host: string
  /** The IP address of the host where none is to be looked up: libpq's `hostaddr`. */
  readonly ip: string | undefined
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Command-line options for the backend, as in `-c role=owner`. */
  readonly options: string | undefined
  /** How long one try to connect may take. */
  readonly connectTimeoutMs: number
  /** `target_session_attrs=read-write`: a primary whose sessions are read-only at first will not do. */
  readonly readWrite: boolean
  readonly tls: TlsTerms
}

export interface ReadAddress {
  /** One for each host, in the order in which they are tried; empty if there are problems. */
  readonly addresses: readonly Address[]
  /** What is wrong, never with the value: it may hold the password. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** Reads `DATABASE_URL`, and the `PG*` variables for whatever the URL leaves open, as libpq does. */
export function readAddress(env: Env): ReadAddress {
  const { parameters, ...read } = readParameters(env)
  const problems = [...read.problems]
  const warnings = [...read.warnings]
  const value = (name: string): string | undefined => parameters.get(name)?.value
  const says = ['DATABASE_URL', 'DATABASE_URL_FILE'].some((name) => env[name] !== undefined)
  if (!says && value('host') === undefined && value('hostaddr') === undefined) {
    problems.push('DATABASE_URL is not set (nor PGHOST): where is the database?')
    return { addresses: [], problems, warnings }
  }
  const places = readPlaces(value, problems)
  const tls = readTlsTerms(parameters, env['HOME'])
  problems.push(...tls.problems)
  const connectTimeoutS = wholeNumber(value('connect_timeout') ?? '10')
  if (!(connectTimeoutS < 2 ** 31 / 1000)) {
    problems.push('connect_timeout is not a whole number of seconds')
  }
  const attributes = parameters.get('target_session_attrs')
  if (attributes !== undefined) problems.push(...judgeAttributes(attributes))
  const user = value('user')
  if (read.problems.length === 0 && user === undefined)
    problems.push('the address names no user: postgres://USER@HOST/DATABASE, or PGUSER')
  if (problems.length > 0 || user === undefined) return { addresses: [], problems, warnings }

  const database = value('dbname') ?? user
  const passwordOf = passwordFinder(value, env['HOME'], warnings)
  return {
    addresses: places.map((place) => ({
      ...place,
      user,
      password: passwordOf([place.host, `${place.port}`, database, user]),
      database,
      options: value('options'),
      connectTimeoutMs: (connectTimeoutS || 10) * 1000,
      readWrite: attributes?.value === 'read-write',
      tls: tls.terms,
    })),
    problems,
    warnings,
  }
}

type ValueOf = (name: string) => string | undefined

/** Hosts with their ports: lists of one length, or one port for all. PostgreSQL manual, 34.1.1.3. */
function readPlaces(
  value: ValueOf,
  problems: string[],
): readonly Pick<Address, 'host' | 'ip' | 'port'>[] {
  const ips = value('hostaddr')?.split(',') ?? []
  const hosts = value('host')?.split(',') ?? (ips.length > 0 ? ips : [''])
  const ports = value('port')?.split(',') ?? ['']
  if (ips.length > 0 && ips.length !== hosts.length)
    problems.push(`the address names ${hosts.length} hosts and ${ips.length} of hostaddr`)
  if (ips.some((ip) => ip !== '' && isIP(ip) === 0))
    problems.push('hostaddr is not the IP address of a host')
  if (ports.length > 1 && ports.length !== hosts.length)
    problems.push(`the address names ${hosts.length} hosts and ${ports.length} ports`)
  const places = hosts.map((host, index) => {
    const ip = ips[index] || undefined
    const port = wholeNumber((ports.length > 1 ? ports[index] : ports[0]) || '5432')
    return { host: host || ip || 'localhost', ip, port }
  })
  if (places.some(({ port }) => !(port >= 1 && port <= 65_535)))
    problems.push('the port of the database is not a number from 1 to 65535')
  return places
}

/** A migration writes, so whatever could mean a standby is no wish that can be granted. */
function judgeAttributes({ value, source }: Parameter): readonly string[] {
  if (['any', 'read-write', 'primary'].includes(value)) return []
  return ['read-only', 'standby', 'prefer-standby'].includes(value)
    ? [`${source} asks for a standby, which takes no writes; write primary`]
    : [`${source} is none of any, read-write, primary`]
}

/** The password that is given, else that of the password file, which may have one for each host. */
function passwordFinder(
  value: ValueOf,
  home: string | undefined,
  warnings: string[],
): (login: readonly [string, string, string, string]) => string {
  const given = value('password')
  if (given !== undefined) return () => given
  const named = value('passfile')
  const path = named ?? (home === undefined ? undefined : join(home, '.pgpass'))
  if (path === undefined) return () => ''
  const { text, warning } = readPasswordFile(path, named !== undefined)
  if (warning !== undefined) warnings.push(warning)
  return (login) => (text === undefined ? undefined : passwordIn(text, login)) ?? ''
}

function wholeNumber(text: string): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
}

/** The address for people: never user or password. */
export function describeAddress(address: Address): string {
  const isSocket = address.host.startsWith('/')
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return isSocket ? `${host}/${address.database}` : `${host}:${address.port}/${address.database}`
}
