import { failures } from '../errors.ts'
import { asFailure, Failure } from '../failure.ts'
import type { Tell } from '../events.ts'
import { pause } from '../pause.ts'
import { describeAddress, type Address } from './address.ts'
import { look, type Look } from './ledger.ts'
import { judge, obstacle, together, type Obstacle } from './obstacle.ts'
import type { Pooler } from './pooler.ts'
import type { Run } from './runs.ts'
import { ServerError } from './server-error.ts'
import { Session } from './session.ts'
import { serverMajor, serverVersion } from './settings.ts'
import { dial, waysOf, type Dialled } from './socket.ts'
import { HandshakeFailure, isTlsError } from './tls-errors.ts'

interface Wanted {
  readonly addresses: readonly Address[]
  readonly schema: string
  readonly pooler: Pooler
  readonly connectWaitMs: number
  readonly heartbeatMs: number
  /** Nothing will be written. */
  readonly mayBeStandby?: boolean
}

export interface Connected {
  readonly session: Session
  /** Which of the addresses it was. */
  readonly address: Address
  readonly seen: Look
}

const oldestMajor = 14
const firstPauseMs = 100
const longestPauseMs = 5_000
const shortestTryMs = 1_000

/**
 * Connecting begins at once, so that other things can be done meanwhile; leaving the scope ends it,
 * or the session that came of it.
 */
export class Connecting implements AsyncDisposable {
  /** @throws {Failure} as `connect` does */
  readonly result: Promise<Connected>
  readonly #stop: AbortSignal
  /** Ends connecting; what has come of it then, it does not touch. */
  readonly #halt = new AbortController()
  #session: Session | undefined

  constructor(wanted: Wanted, run: Run, tell: Tell, stop: AbortSignal) {
    this.#stop = stop
    if (stop.aborted) this.#stopped()
    else stop.addEventListener('abort', this.#stopped)
    this.result = this.#open(wanted, run, tell)
    // Whoever awaits the result hears of a failure; who has left the scope does not want to.
    this.result.catch(ignore)
  }

  readonly #stopped = (): void => {
    this.#halt.abort(this.#stop.reason)
    void this.#session?.interrupt(asFailure(this.#stop.reason))
  }

  async #open(wanted: Wanted, run: Run, tell: Tell): Promise<Connected> {
    const connected = await connect(wanted, run, tell, this.#halt.signal)
    const { session, seen, address } = connected
    this.#session = session
    tell({
      checkpoint: 'database',
      address: describeAddress(address),
      user: seen.user,
      serverVersion: serverVersion(session),
      encryption: session.encryption,
    })
    return connected
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.removeEventListener('abort', this.#stopped)
    if (this.#session === undefined) this.#halt.abort(new Error('left'))
    await this.result.then(({ session }) => session[Symbol.asyncDispose](), ignore)
  }
}

/**
 * Connects and looks once. A database that is not there yet, starting, full, or not created yet is
 * tried again with growing, jittered pauses; whatever waiting cannot mend ends at once. Of several
 * hosts each is tried in every round; a first round is always whole, later ones end with the wait.
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
  const { addresses, connectWaitMs, heartbeatMs } = wanted
  const begunMs = performance.now()
  let toldMs = begunMs
  const say = ({ reason, hints }: Obstacle): void => {
    const waitedMs = performance.now() - begunMs
    tell({ checkpoint: 'waiting', reason, waitedMs, more: hints })
  }
  const tellWaiting = (met: Obstacle): void => {
    toldMs = performance.now()
    say(met)
  }
  for (let round = 0, pauseMs = firstPauseMs; ; round += 1) {
    const obstacles: Obstacle[] = []
    for (const address of addresses) {
      const leftMs = round === 0 ? Infinity : begunMs + connectWaitMs - performance.now()
      if (leftMs <= 0 && obstacles.length > 0) break
      const connectTimeoutMs = Math.min(address.connectTimeoutMs, Math.max(leftMs, shortestTryMs))
      const limited = { ...address, connectTimeoutMs: Math.ceil(connectTimeoutMs) }
      const reason = `${describeAddress(address)} has not answered yet`
      // That it takes long is no answer to what came of it.
      const beat = setInterval(() => say(obstacle(reason)), heartbeatMs)
      const trying = attempt(limited, waysOf(address), wanted, run, stop)
      const tried = await trying.finally(() => clearInterval(beat))
      if ('session' in tried) return tried
      obstacles.push(tried)
      if (obstacles.length < addresses.length && performance.now() - toldMs >= heartbeatMs)
        tellWaiting(tried)
    }
    const met = together(obstacles)
    const waitedMs = performance.now() - begunMs
    if (waitedMs >= connectWaitMs) throw gaveUp(met, wanted, waitedMs)
    if (round === 0 || performance.now() - toldMs >= heartbeatMs) tellWaiting(met)
    const leftMs = connectWaitMs - waitedMs
    await pause(Math.min(pauseMs * (0.5 + Math.random() / 2), leftMs), stop)
    pauseMs = Math.min(pauseMs * 2, longestPauseMs)
  }
}

/** At most 63 bytes, cut from the left of the pod's name: its end tells pods apart. */
export function applicationName({ id, pod }: Run): string {
  return `lockstep/${id}/${pod.slice(-45)}`
}

/**
 * Tries one address, in each of its ways: the next one where the server refuses the one before.
 *
 * @param refused - what the server said to the way before
 */
async function attempt(
  address: Address,
  [way, ...ways]: ReturnType<typeof waysOf>,
  wanted: Wanted,
  run: Run,
  stop: AbortSignal,
  refused?: string,
): Promise<Connected | Obstacle> {
  let dialled: Dialled | undefined
  let session: Session | undefined
  const hangUp = (): void => void session?.interrupt(asFailure(stop.reason), 0)
  stop.addEventListener('abort', hangUp)
  try {
    dialled = await dial(address, stop, way)
    const why = refused === undefined || way === 'TLS' ? '' : ` (${refused})`
    const told = { ...dialled, encryption: `${dialled.encryption}${why}` }
    session = new Session(told, applicationName(run))
    const seen = await look(session, wanted.schema)
    session.confirm(seen.pid, wanted.pooler)
    if (serverMajor(session) < oldestMajor) {
      throw new Failure(
        'SERVER_UNSUPPORTED',
        `PostgreSQL ${serverVersion(session)} is older than ${oldestMajor}`,
      )
    }
    const unfit = wanted.mayBeStandby === true ? undefined : unfitness(session, address)
    if (unfit === undefined) return { session, seen, address }
    await session[Symbol.asyncDispose]()
    return obstacle(`${describeAddress(address)} ${unfit}`)
  } catch (thrown) {
    stop.throwIfAborted()
    await session?.[Symbol.asyncDispose]()
    const alert = dialled?.errors.find(isTlsError)
    const [next] = ways
    if (next !== undefined && isRefusal(thrown)) {
      const said = thrown instanceof ServerError ? thrown.said : thrown.message
      return await attempt(address, [next], wanted, run, stop, said)
    }
    const judged = judge(alert ? new HandshakeFailure(alert, address) : thrown, address)
    if (!(judged instanceof Failure)) return judged
    const { code, message, more } = judged
    throw refused === undefined
      ? judged
      : new Failure(code, message, [`before that, the other way of sslmode: ${refused}`, ...more])
  } finally {
    stop.removeEventListener('abort', hangUp)
  }
}

/** Why a session is not the one that a migration needs. */
function unfitness({ frames }: Session, { readWrite }: Address): string | undefined {
  if (frames.parameters.get('in_hot_standby') === 'on') return 'is a standby, which takes no writes'
  return readWrite && frames.parameters.get('default_transaction_read_only') === 'on'
    ? 'is read-only, and target_session_attrs is read-write'
    : undefined
}

/** Whether with TLS, or without it, the server may say something else: `pg_hba.conf` tells them apart. */
function isRefusal(error: unknown): error is Failure {
  return (
    error instanceof HandshakeFailure ||
    (error instanceof ServerError && error.sqlState === '28000')
  )
}

function gaveUp(
  { reason, hints, code }: Obstacle,
  { connectWaitMs }: Wanted,
  waitedMs: number,
): Failure {
  const time =
    connectWaitMs > 0 ? `, for ${(waitedMs / 1000).toFixed(waitedMs < 10_000 ? 1 : 0)} s` : ''
  return new Failure(code, `${reason}${time}`, [...hints, failures[code].todo])
}

function ignore(): void {
  // Told to whoever awaits the result.
}
