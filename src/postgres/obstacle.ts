import { asFailure, Failure } from '../failure.ts'
import { describeAddress, type Address } from './address.ts'
import { judgePoolerError } from './pooler.ts'
import { ServerError } from './server-error.ts'

/** Why a try failed that may be repeated. */
export interface Obstacle {
  readonly reason: string
  readonly hints: readonly string[]
  readonly code: 'DATABASE_UNREACHABLE' | 'DATABASE_MISSING'
}

/** The obstacles of one round as one; a database that is missing everywhere is missing. */
export function together(obstacles: readonly Obstacle[]): Obstacle {
  return {
    reason: obstacles.map(({ reason }) => reason).join('; '),
    hints: [...new Set(obstacles.flatMap(({ hints }) => hints))],
    code: obstacles.every(({ code }) => code === 'DATABASE_MISSING')
      ? 'DATABASE_MISSING'
      : 'DATABASE_UNREACHABLE',
  }
}

export function obstacle(reason: string, hints: readonly string[] = []): Obstacle {
  return { reason, hints, code: 'DATABASE_UNREACHABLE' }
}

/** An error of a try: an obstacle that may go away, or the failure that ends the run. */
export function judge(error: unknown, address: Address): Obstacle | Failure {
  const place = describeAddress(address)
  if (error instanceof ServerError) return judgeServer(error, place)
  if (error instanceof Failure) {
    if (error.code === 'CONNECTION_LOST') return obstacle(`cannot reach ${place}: ${error.message}`)
    return error
  }
  if (error instanceof Error && error.name === 'TimeoutError') {
    return obstacle(`cannot reach ${place}: no answer within ${address.connectTimeoutMs / 1000} s`)
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  if (code === undefined) return asFailure(error)
  return obstacle(`cannot reach ${place}: ${reasons[code] ?? code}`, hintsFor(code, address))
}

function hintsFor(code: string, { host, tls }: Address): readonly string[] {
  if (code === 'ECONNREFUSED' && /^(localhost|127\.|::1$)/.test(host)) {
    return [
      `inside a container ${host} is the container itself: use the name of the database’s Service, or host.docker.internal`,
    ]
  }
  return code === 'ECONNRESET' && tls.direct
    ? ['sslnegotiation=direct needs PostgreSQL 17 or newer']
    : []
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed at once',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not use the socket',
}

function judgeServer(error: ServerError, place: string): Obstacle | Failure {
  const { said } = error
  switch (error.sqlState) {
    case '3D000':
      return { reason: `${place}: ${said}`, hints: [], code: 'DATABASE_MISSING' }
    case '42501':
      return new Failure('PRIVILEGE_MISSING', `${place}: ${said}`, [
        'grant connect on database DATABASE to ROLE',
      ])
    case '08P01':
      if (judgePoolerError(said, place)) return obstacle(`${place} is not ready: ${said}`)
      throw new Failure('LOGIN_REFUSED', `${place}: ${said}`)
    default:
      // Out of resources, not in the right state, shutting down, input and output: not the log-in.
      return /^(?:53|55|57|58)/.test(error.sqlState)
        ? obstacle(`${place} is not ready: ${said}`)
        : new Failure('LOGIN_REFUSED', `${place}: ${said}`)
  }
}
