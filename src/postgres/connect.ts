import { asFailure, Failure } from '../errors.ts'
import type { Tell } from '../events.ts'
import { pause } from '../pause.ts'
import { describeAddress, type Address } from './address.ts'
import { look, type Look, type Run } from './ledger.ts'
import { ServerError } from './server-error.ts'
import { Session } from './session.ts'
import { serverMajor, serverVersion } from './settings.ts'
import { dial } from './socket.ts'

interface Wanted {
  readonly address: Address
  readonly schema: string
  readonly connectWaitMs: number
  readonly heartbeatMs: number
}

export interface Connected {
  readonly session: Session
  readonly seen: Look
}

const oldestMajor = 14
const firstPauseMs = 100
const longestPauseMs = 5_000

/**
 * Connecting begins at once, so that other things can be done meanwhile; leaving the scope ends it,
 * or the session that came of it.
 */
export class Connecting implements AsyncDisposable {
  /** @throws {Failure} as `connect` does */
  readonly result: Promise<Connected>
  readonly #left = new AbortController()

  constructor(wanted: Wanted, run: Run, tell: Tell, stop: AbortSignal) {
    this.result = this.#open(wanted, run, tell, stop)
    // Whoever awaits the result hears of a failure; who has left the scope does not want to.
    this.result.catch(ignore)
  }

  async #open(wanted: Wanted, run: Run, tell: Tell, stop: AbortSignal): Promise<Connected> {
    const connected = await connect(wanted, run, tell, AbortSignal.any([stop, this.#left.signal]))
    const { session, seen } = connected
    stop.addEventListener('abort', () => void session.interrupt(asFailure(stop.reason)))
    tell({
      checkpoint: 'database',
      address: describeAddress(wanted.address),
      user: seen.user,
      serverVersion: serverVersion(session),
      encryption: session.encryption,
    })
    return connected
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left.abort(new Error('left'))
    await this.result.then(({ session }) => session[Symbol.asyncDispose](), ignore)
  }
}

/**
 * Connects and looks once. A database that is not there yet, starting, full, or not created yet is
 * tried again with growing, jittered pauses; whatever waiting cannot mend ends at once.
 *
 * @throws {Failure} DATABASE_UNREACHABLE, DATABASE_MISSING, LOGIN_REFUSED, TLS_FAILED,
 *   SERVER_UNSUPPORTED, POOLER_BETWEEN, PRIVILEGE_MISSING, or the reason of `stop`
 */
async function connect(
  wanted: Wanted,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<Connected> {
  const begunMs = performance.now()
  let toldMs = Number.NEGATIVE_INFINITY
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const tried = await attempt(wanted, run, stop)
    if ('session' in tried) return tried
    const waitedMs = performance.now() - begunMs
    if (waitedMs + pauseMs > wanted.connectWaitMs) throw gaveUp(tried, wanted, waitedMs)
    if (performance.now() - toldMs >= wanted.heartbeatMs) {
      toldMs = performance.now()
      tell({ checkpoint: 'waiting', reason: tried.reason, waitedMs, more: tried.hints })
    }
    await pause(pauseMs * (0.5 + Math.random() / 2), stop)
  }
}

/** At most 63 bytes, cut from the left of the pod's name: its end tells pods apart. */
function applicationName({ id, pod }: Run): string {
  return `lockstep/${id}/${pod.slice(-45)}`
}

/** Why a try failed that may be repeated. */
interface Obstacle {
  readonly reason: string
  readonly hints: readonly string[]
  readonly code: 'DATABASE_UNREACHABLE' | 'DATABASE_MISSING'
}

async function attempt(
  { address, schema }: Wanted,
  run: Run,
  stop: AbortSignal,
): Promise<Connected | Obstacle> {
  let session: Session | undefined
  const hangUp = (): void => void session?.interrupt(asFailure(stop.reason), 0)
  stop.addEventListener('abort', hangUp)
  try {
    const { socket, encryption } = await dial(address, stop)
    session = new Session(socket, address, applicationName(run), encryption)
    const seen = await look(session, schema)
    session.confirm(seen.pid)
    if (serverMajor(session) < oldestMajor) {
      throw new Failure(
        'SERVER_UNSUPPORTED',
        `PostgreSQL ${serverVersion(session)} is older than ${oldestMajor}`,
      )
    }
    if (session.frames.parameters.get('in_hot_standby') !== 'on') return { session, seen }
    await session[Symbol.asyncDispose]()
    return obstacle(`${describeAddress(address)} is a standby, which takes no writes`)
  } catch (error) {
    stop.throwIfAborted()
    await session?.[Symbol.asyncDispose]()
    return judge(error, address)
  } finally {
    stop.removeEventListener('abort', hangUp)
  }
}

function obstacle(reason: string, hints: readonly string[] = []): Obstacle {
  return { reason, hints, code: 'DATABASE_UNREACHABLE' }
}

/** An error of a try: an obstacle that may go away, or thrown on. */
function judge(error: unknown, address: Address): Obstacle {
  const place = describeAddress(address)
  if (error instanceof ServerError) return judgeServer(error, place)
  if (error instanceof Failure) {
    if (error.code === 'CONNECTION_LOST') return obstacle(`cannot reach ${place}: ${error.message}`)
    throw error
  }
  if (error instanceof Error && error.name === 'TimeoutError') {
    return obstacle(`cannot reach ${place}: no answer within ${address.connectTimeoutMs / 1000} s`)
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  if (code === undefined) throw error
  const isLocal = /^(localhost|127\.|::1$)/.test(address.host)
  const hints =
    isLocal && code === 'ECONNREFUSED'
      ? [
          `inside a container ${address.host} is the container itself: use the name of the database’s Service, or host.docker.internal`,
        ]
      : []
  return obstacle(`cannot reach ${place}: ${reasons[code] ?? code}`, hints)
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

function judgeServer(error: ServerError, place: string): Obstacle {
  const { said } = error
  switch (error.sqlState) {
    case '3D000':
      return { reason: `${place}: ${said}`, hints: [], code: 'DATABASE_MISSING' }
    case '57P03':
    case '53300':
    case '57P01':
    case '57P02':
      return obstacle(`${place} is not ready: ${said}`)
    case '42501':
      throw new Failure('PRIVILEGE_MISSING', `${place}: ${said}`, [
        'grant connect on database DATABASE to ROLE',
      ])
    default:
      throw new Failure('LOGIN_REFUSED', `${place}: ${said}`)
  }
}

function gaveUp(
  { reason, hints, code }: Obstacle,
  { connectWaitMs }: Wanted,
  waitedMs: number,
): Failure {
  const time =
    connectWaitMs > 0 ? `, for ${(waitedMs / 1000).toFixed(waitedMs < 10_000 ? 1 : 0)} s` : ''
  return new Failure(code, `${reason}${time}`, [...hints, ...new Failure(code, '').more])
}

function ignore(): void {
  // Told to whoever awaits the result.
}
