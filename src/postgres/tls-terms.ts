import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Parameter } from './parameters.ts'

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
type SslMode = (typeof sslModes)[number]

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const
type TlsVersion = (typeof versions)[number]

/** How a connection is to be encrypted; files are named, and read when they are needed. */
export interface TlsTerms {
  readonly mode: SslMode
  /** File of the authorities to trust; `system` for those of the operating system. */
  readonly rootCert: string | undefined
  /** File of certificates that were withdrawn. */
  readonly crl: string | undefined
  /** The client's own certificate, its key, and what opens the key. */
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly keyPassword: string | undefined
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** The server is told which host is meant. */
  readonly sni: boolean
  /** TLS from the first byte on, without asking (PostgreSQL 17 and newer). */
  readonly direct: boolean
}

/** Reads what libpq knows of TLS (PostgreSQL manual, 34.1.2 and 34.19). */
export function readTlsTerms(
  parameters: ReadonlyMap<string, Parameter>,
  home: string | undefined,
): { readonly terms: TlsTerms; readonly problems: readonly string[] } {
  const problems: string[] = []
  const value = (name: string): string | undefined => parameters.get(name)?.value
  function choice<T extends string>(name: string, choices: readonly T[], preset: T): T {
    const given = parameters.get(name)
    const found = choices.find((candidate) => candidate === (given?.value ?? preset))
    if (found === undefined) problems.push(`${given?.source} is none of ${choices.join(', ')}`)
    return found ?? preset
  }
  // Where nothing is said, libpq looks into a folder of the user's.
  const own = (name: string): string | undefined => {
    const path = home === undefined ? undefined : join(home, '.postgresql', name)
    return path !== undefined && existsSync(path) ? path : undefined
  }

  const rootCert = value('sslrootcert') ?? own('root.crt')
  const isSystem = rootCert === 'system'
  const mode = choice('sslmode', sslModes, isSystem ? 'verify-full' : 'prefer')
  const direct = choice('sslnegotiation', ['postgres', 'direct'], 'postgres') === 'direct'
  const minVersion = choice('ssl_min_protocol_version', versions, 'TLSv1.2')
  const maxVersion = choice('ssl_max_protocol_version', versions, 'TLSv1.3')
  if (isSystem && mode !== 'verify-full') {
    problems.push(
      'sslrootcert=system needs sslmode=verify-full: anybody has some certificate of these authorities',
    )
  }
  if (mode === 'verify-ca' && rootCert === undefined) {
    problems.push(
      'sslmode=verify-ca needs sslrootcert: of a public authority anybody has some certificate; or take verify-full',
    )
  }
  if (direct && ['disable', 'allow', 'prefer'].includes(mode)) {
    problems.push('sslnegotiation=direct needs sslmode=require or stronger')
  }
  if (versions.indexOf(minVersion) > versions.indexOf(maxVersion)) {
    problems.push('ssl_min_protocol_version is above ssl_max_protocol_version')
  }
  return {
    terms: {
      mode,
      rootCert,
      crl: value('sslcrl') ?? own('root.crl'),
      cert: value('sslcert') ?? own('postgresql.crt'),
      key: value('sslkey') ?? own('postgresql.key'),
      keyPassword: value('sslpassword'),
      minVersion,
      maxVersion,
      sni: choice('sslsni', ['0', '1'], '1') === '1',
      direct,
    },
    problems,
  }
}
