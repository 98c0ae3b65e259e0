import { readFileSync } from 'node:fs'
import { parseUri } from './connection-uri.ts'
import { nearest } from '../nearest.ts'

/** Connection parameters that are honoured, with their variables. PostgreSQL manual, 34.1.2, 34.15. */
const honoured: Readonly<Record<string, string | undefined>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  dbname: 'PGDATABASE',
  options: 'PGOPTIONS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcrl: 'PGSSLCRL',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: undefined,
  sslsni: 'PGSSLSNI',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
}

interface Rule {
  readonly variable?: string
  /** Values that change nothing here. */
  readonly fine?: readonly string[]
  /** What is said of any other value, and whether it ends the run: where ignoring it would weaken. */
  readonly why: string
  readonly refuse?: true
  /** A value that only prefers what is not there: it is ignored, and that is said. */
  readonly wish?: string
}

const ownKeepAlive = 'Lockstep sets its own'
const noGss = 'there is no GSSAPI here'
const noOauth = 'there is no OAuth here'
const noService = 'service files are not read; write the address itself'
const asOption = (setting: string): string => `write it as options=-c ${setting}=VALUE`

/** What libpq knows and is not honoured, each for its reason. */
const others: Readonly<Record<string, Rule>> = {
  service: { variable: 'PGSERVICE', why: noService, refuse: true },
  servicefile: { variable: 'PGSERVICEFILE', why: noService, refuse: true },
  channel_binding: {
    variable: 'PGCHANNELBINDING',
    fine: ['disable'],
    wish: 'prefer',
    why: 'the driver cannot bind the channel; leave it out, sslmode=verify-full shuts out the same attacker',
    refuse: true,
  },
  require_auth: {
    variable: 'PGREQUIREAUTH',
    why: 'the driver answers whatever the server asks for; sslmode=verify-full makes sure who asks',
    refuse: true,
  },
  requirepeer: {
    variable: 'PGREQUIREPEER',
    why: 'Node does not tell who serves a unix socket',
    refuse: true,
  },
  sslcrldir: { variable: 'PGSSLCRLDIR', why: 'sslcrl is read, one file', refuse: true },
  sslcertmode: {
    variable: 'PGSSLCERTMODE',
    fine: ['allow'],
    why: 'a client certificate is sent where sslcert names one and the server asks for it',
    refuse: true,
  },
  gssencmode: {
    variable: 'PGGSSENCMODE',
    fine: ['disable', 'prefer'],
    why: noGss,
    refuse: true,
  },
  min_protocol_version: {
    variable: 'PGMINPROTOCOLVERSION',
    fine: ['3.0'],
    why: 'the driver speaks 3.0',
    refuse: true,
  },
  replication: {
    fine: ['false', 'off', 'no', '0'],
    why: 'a migration is an ordinary session',
    refuse: true,
  },
  scram_client_key: { why: 'give the password', refuse: true },
  scram_server_key: { why: 'give the password', refuse: true },
  max_protocol_version: {
    variable: 'PGMAXPROTOCOLVERSION',
    fine: ['3.0', '3.2', 'latest'],
    why: 'the driver speaks 3.0',
  },
  load_balance_hosts: {
    variable: 'PGLOADBALANCEHOSTS',
    fine: ['disable'],
    why: 'only a primary will do, so the hosts are asked in their order',
  },
  application_name: { variable: 'PGAPPNAME', why: 'sessions are called lockstep/RUN/POD' },
  fallback_application_name: { why: 'sessions are called lockstep/RUN/POD' },
  client_encoding: {
    variable: 'PGCLIENTENCODING',
    fine: ['auto', 'UTF8', 'UTF-8', 'utf8', 'utf-8'],
    why: 'files and sessions are UTF-8',
  },
  keepalives: { why: ownKeepAlive },
  keepalives_idle: { why: ownKeepAlive },
  keepalives_interval: { why: ownKeepAlive },
  keepalives_count: { why: ownKeepAlive },
  tcp_user_timeout: { why: 'Node has no such setting' },
  sslcompression: { variable: 'PGSSLCOMPRESSION', fine: ['0'], why: 'TLS is never compressed' },
  sslkeylogfile: { why: 'keys are written nowhere' },
  krbsrvname: { variable: 'PGKRBSRVNAME', why: noGss },
  gsslib: { variable: 'PGGSSLIB', why: noGss },
  gssdelegation: { variable: 'PGGSSDELEGATION', why: noGss },
  oauth_issuer: { why: noOauth },
  oauth_client_id: { why: noOauth },
  oauth_client_secret: { why: noOauth },
  oauth_scope: { why: noOauth },
  timezone: { variable: 'PGTZ', why: asOption('timezone') },
  datestyle: { variable: 'PGDATESTYLE', why: asOption('datestyle') },
  geqo: { variable: 'PGGEQO', why: asOption('geqo') },
}

/** Names that other programs want in the address and that are too near to names of libpq's. */
const foreign = new Set(['pool', 'sslaccept', 'sslidentity'])

/** All that libpq knows, with the variable where there is one. */
export const knownParameters = new Map([
  ...Object.entries(honoured),
  ...Object.entries(others).map(([name, { variable }]) => [name, variable] as const),
])

/** A value, and for people where it came from. */
export interface Parameter {
  readonly value: string
  readonly source: string
}

export interface ReadParameters {
  /** Those that are honoured, by libpq's names. */
  readonly parameters: ReadonlyMap<string, Parameter>
  /** What is wrong, never with a value: it may be a secret in the wrong place. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

export type Env = Readonly<Record<string, string | undefined>>

/** The parameters of `DATABASE_URL`, and those of the `PG*` variables for whatever it leaves open. */
export function readParameters(env: Env): ReadParameters {
  const said = { problems: [] as string[], warnings: [] as string[] }
  const given = new Map<string, Parameter>()
  for (const [name, variable] of knownParameters) {
    if (variable === undefined) continue
    const { value, source, problem } = readVariable(env, variable)
    if (problem !== undefined) said.problems.push(problem)
    if (value !== '') given.set(name, { value, source: `${name} (${source})` })
  }
  const url = readVariable(env, 'DATABASE_URL')
  if (url.problem !== undefined) said.problems.push(url.problem)
  const pairs = url.value === '' ? [] : parseUri(url.value)
  if (typeof pairs === 'string') said.problems.push(`${url.source} ${pairs}`)
  for (const [name, value] of typeof pairs === 'string' ? [] : pairs) {
    // libpq takes this one over from JDBC.
    if (name === 'ssl' && value === 'true') given.set('sslmode', { value: 'require', source: name })
    else if (knownParameters.has(name)) given.set(name, { value, source: name })
    else judgeUnknown(name, url.value, said)
  }
  for (const [name, { value, source }] of given) {
    // It would end the field of the protocol early.
    if (value.includes('\0')) said.problems.push(`${source} holds a NUL byte`)
    const { fine = [], why, refuse, wish } = others[name] ?? {}
    if (why === undefined || fine.includes(value)) continue
    const only = fine.length === 0 ? '' : `can only be ${fine.join(' or ')}: `
    if (refuse && value !== wish)
      said.problems.push(`${source} ${only || 'is not supported: '}${why}`)
    else said.warnings.push(`${source} is ignored: ${why}`)
  }
  return { parameters: given, ...said }
}

/**
 * An unknown parameter of the address belongs to another program, unless it looks like a mistyped
 * one or like one that protects. libpq itself refuses every one.
 */
function judgeUnknown(
  name: string,
  url: string,
  { problems, warnings }: { problems: string[]; warnings: string[] },
): void {
  const near = nearest(name.toLowerCase(), [...knownParameters.keys()])
  // A raw & in a password makes a name of what follows it.
  const isTold = !/[?&](?:ssl)?password=/.test(url)
  const what = `the parameter ${isTold ? JSON.stringify(name) : 'behind a password'} of DATABASE_URL`
  if (foreign.has(name)) warnings.push(`${what} is ignored`)
  else if (isTold && near !== undefined) problems.push(`${what} is not known; is ${near} meant?`)
  else if (/^(?:ssl|tls|gss|require)/i.test(name))
    problems.push(`${what} is not one of PostgreSQL’s`)
  else warnings.push(`${what} is ignored${isTold ? '' : '; a raw & in a password must be %26'}`)
}

interface ReadVariable {
  /** Empty where nothing is said. */
  readonly value: string
  readonly source: string
  readonly problem?: string
}

/** A variable, or the file that the variable of the same name with `_FILE` names. */
function readVariable(env: Env, variable: string): ReadVariable {
  const source = `${variable}_FILE`
  const value = env[variable] ?? ''
  const path = env[source] ?? ''
  if (path === '') return { value, source: variable }
  const failed = (problem: string): ReadVariable => ({ value: '', source, problem })
  if (value !== '') return failed(`${variable} and ${source} are both set; one has to go`)
  try {
    const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return text === '' ? failed(`the file of ${source} is empty`) : { value: text, source }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    return failed(`the file of ${source} cannot be read: ${fileErrors[code] ?? code}`)
  }
}

/** What the system says of a file, for people. */
export const fileErrors: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
}
