import type { Socket } from 'node:net'
import postgres from 'postgres'
import { asFailure, Failure } from '../failure.ts'
import { pause } from '../pause.ts'
import { describeAddress, type Address } from './address.ts'
import { cancel } from './cancel.ts'
import { driverOptions } from './driver.ts'
import { frameReader, type Answer, type Frames } from './frames.ts'
import { noteLoss } from './lost.ts'
import { judgePooler, type Pooler } from './pooler.ts'
import { ServerError } from './server-error.ts'
import { dial, type Dialled } from './socket.ts'

/** Terminate: the goodbye of the protocol. PostgreSQL manual, 54.7. */
const terminate = Buffer.from([0x58, 0, 0, 0, 4])

/** Within these an interrupted run ends, whatever the server does: a pod's grace period is short. */
const cancelPatienceMs = 3_000
const cancelAgainMs = 250

/** A statement of our own is short: a server that is silent for longer is taken for lost. */
const ownPatienceMs = 15_000

/**
 * One session on one socket.
 *
 * The driver reconnects silently, and a session's advisory lock dies with the old connection
 * without an error (porsager/postgres#1155, #1133, #1215). So it gets a socket that is already
 * open and is never given another: a lost session is over for good, and every call on it rejects
 * here, without touching the driver. No `reserve`, no `begin`, no pool.
 */
export class Session implements AsyncDisposable {
  /** What the driver does not tell: status, command tags, why the server hung up. */
  readonly frames: Frames
  /** For people: `TLS verify-full`, `no TLS`, `unix socket`. */
  readonly encryption: string
  readonly #address: Address
  readonly #socket: Socket
  readonly #sql: postgres.Sql
  /** Calls that have not settled. */
  readonly #waiting = new Set<Call>()
  /** Those of them that the server has not answered whole, in the order of sending. */
  readonly #unanswered: Call[] = []
  #drained: () => void = ignore
  /** Why nothing more is sent; what is on its way is still waited for. */
  #refusal: Failure | undefined
  #loss: Failure | undefined
  #backend: number | undefined

  /**
   * @param dialled - connected, encrypted if it is to be, nothing sent yet
   * @param applicationName - at most 63 bytes; what others see in `pg_stat_activity`
   */
  constructor({ socket, place, encryption }: Dialled, applicationName: string) {
    const { frames, read } = frameReader(
      (answer) => {
        const call = this.#unanswered.shift()
        if (call !== undefined) call.answer = answer
        if (this.#unanswered.length === 0) this.#drained()
      },
      () => this.#lose(copyRefused()),
    )
    this.frames = frames
    this.encryption = encryption
    this.#address = place
    this.#socket = socket
    // Before the driver's listeners, so that a loss is known before the driver can act on it. A query
    // sent between `error` and `close` would never settle: both latch.
    socket.on('data', read)
    socket.on('error', () => this.#lose(this.#lossFailure()))
    socket.on('close', () => this.#lose(this.#lossFailure()))
    this.#sql = postgres(driverOptions(socket, place, applicationName))
  }

  /**
   * Runs one statement and returns its rows. Never for text of a file.
   *
   * @param patienceMs - for the answer
   * @throws {ServerError | Failure}
   */
  query<Row>(statement: string, patienceMs = ownPatienceMs): Promise<readonly Row[]> {
    return this.#call(async () => {
      const rows: unknown = await this.#sql.unsafe(statement)
      // oxlint-disable-next-line no-unsafe-type-assertion -- the caller, who wrote the statement, knows its columns
      return rows as readonly Row[]
    }, patienceMs)
  }

  /**
   * Runs one message of any number of statements; rows are thrown away as they come. Messages may be
   * sent before earlier ones are answered. Rejected until `confirm` has shown that the session is our
   * own: nothing may be set on somebody else's.
   *
   * @param patienceMs - for the answer; `Infinity` for the text of a file, which may take hours
   * @param column - whose last value is returned, too
   * @throws {ServerError | Failure}
   */
  execute(message: string, patienceMs = ownPatienceMs, column?: string): Promise<Told> {
    if (this.#backend === undefined) throw new Error('the session is not confirmed')
    return this.#call(async (call) => {
      let told: unknown
      const listen = (row: object): void => {
        if (column !== undefined && Object.hasOwn(row, column)) told = Reflect.get(row, column)
      }
      const value: unknown = await this.#sql.unsafe(message).simple().forEach(listen)
      // A COPY hands out a stream, whose late error would end the process.
      if (isEmitter(value)) value.on('error', ignore)
      if (call.answer === undefined) throw new Error('a message without an answer')
      return { ...call.answer, told }
    }, patienceMs)
  }

  /**
   * Behind a pooler the key data at log-in and the backend that answers differ.
   *
   * @param pid - `pg_backend_pid()`, as the first query told it
   * @throws {Failure} POOLER_BETWEEN, unless a pooler is allowed for
   */
  confirm(pid: number, pooler: Pooler = 'refuse'): void {
    if (pid !== this.frames.pid) judgePooler(this.#address, pooler)
    this.#backend = pid
  }

  /** The process of the server, as others see it; a pooler that shares sessions may change it. */
  get backend(): number {
    return this.#backend ?? this.frames.pid
  }

  /** Another session with the same server. */
  async beside(applicationName: string, stop: AbortSignal): Promise<Session> {
    const dialled = await dial(this.#address, stop)
    return new Session(dialled, applicationName)
  }

  /**
   * Ends the session: sends nothing more, cancels what runs, and hangs up when the server has
   * answered all, or after the patience. Whatever is refused or cut off rejects with the reason.
   */
  async interrupt(reason: Failure, patienceMs = cancelPatienceMs): Promise<void> {
    this.#refusal ??= reason
    const patience = AbortSignal.timeout(patienceMs)
    // More than once: a cancel that comes between two messages on the wire hits neither.
    while (this.#unanswered.length > 0 && this.#loss === undefined && !patience.aborted) {
      await dial(this.#address, patience)
        .then(({ socket }) => cancel(socket, this.frames, patience))
        .catch(ignore)
      const { promise: answered, resolve } = Promise.withResolvers<void>()
      this.#drained = resolve
      if (this.#unanswered.length === 0) resolve()
      await Promise.race([answered, pause(cancelAgainMs, patience).catch(ignore)])
    }
    this.#lose(reason)
  }

  /** Ends the session, and with it the lock. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#loss === undefined) {
      this.#loss = new Failure('CONNECTION_LOST', 'the session has been closed')
      await new Promise<void>((resolve) => {
        this.#socket.once('close', () => resolve())
        this.#socket.write(terminate, () => {
          this.#socket.unref()
          resolve()
        })
      })
    }
  }

  #call<T>(start: (call: Call) => Promise<T>, patienceMs: number): Promise<T> {
    const refusal = this.#loss ?? this.#refusal
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise<T>((resolve, reject) => {
      const call: Call = { answer: undefined, reject }
      this.#unanswered.push(call)
      this.#waiting.add(call)
      const silent = this.#whenSilent(call, patienceMs)
      start(call)
        .then(resolve, (error: unknown) => reject(this.#translate(error)))
        .finally(() => {
          clearTimeout(silent)
          this.#waiting.delete(call)
        })
    })
  }

  /** The driver has no deadline for an answer, and TCP answers for a process that does not. */
  #whenSilent(call: Call, patienceMs: number): NodeJS.Timeout | undefined {
    if (patienceMs === Number.POSITIVE_INFINITY) return undefined
    const lose = (): void => {
      const reason = `${describeAddress(this.#address)} has not answered within ${patienceMs / 1000} s`
      if (this.#waiting.has(call)) this.#lose(new Failure('CONNECTION_LOST', reason))
    }
    // Behind what has arrived: a process that was stopped for a while finds its timers due first.
    return setTimeout(() => setImmediate(lose), patienceMs)
  }

  #lose(why: Failure): Failure {
    if (this.#loss !== undefined) return this.#loss
    const reason = this.#refusal ?? why
    this.#loss = reason
    noteLoss()
    for (const { reject } of this.#unanswered) reject(reason)
    this.#drained()
    // Later, so that the driver's own handlers have run on what has already arrived: a COMMIT that has
    // been answered is no loss.
    setImmediate(() => {
      this.#socket.destroy()
      for (const { reject } of this.#waiting) reject(reason)
    })
    return reason
  }

  #lossFailure(): Failure {
    const { fatal } = this.frames
    const place = describeAddress(this.#address)
    const why =
      fatal === undefined
        ? 'without a word of the server'
        : (fatalReasons[fatal] ?? 'by the server')
    const code = fatal === undefined ? '' : ` (${fatal})`
    return new Failure('CONNECTION_LOST', `the connection to ${place} ended ${why}${code}`)
  }

  #translate(error: unknown): Failure {
    if (this.#refusal !== undefined) return this.#refusal
    if (error instanceof postgres.PostgresError) {
      const position = error.position === undefined ? undefined : Number(error.position)
      const table =
        error.table_name === undefined ? undefined : `${error.schema_name}.${error.table_name}`
      return new ServerError(error.code, error.message, position, table, error)
    }
    if (this.#loss !== undefined) return this.#loss
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'CONNECT_TIMEOUT') {
      const seconds = this.#address.connectTimeoutMs / 1000
      return this.#lose(new Failure('CONNECTION_LOST', `no answer within ${seconds} s`))
    }
    if (!/^(CONNECTION_|CONNECT_|E[A-Z]+$)/.test(code)) return asFailure(error)
    return this.#lose(this.#lossFailure())
  }
}

/** The answer to a message, and the last value of the column that was asked for. */
export interface Told extends Answer {
  readonly told: unknown
}

interface Call {
  answer: Answer | undefined
  readonly reject: (reason: Failure) => void
}

/** Why a server ends a session. PostgreSQL manual, appendix A. */
const fatalReasons: Readonly<Record<string, string>> = {
  '08P01': 'after a breach of protocol',
  '25P03': 'by idle_in_transaction_session_timeout',
  '57P01': 'by an administrator or a shutdown',
  '57P02': 'by a crash of the server',
  '57P03': 'as the server cannot serve now',
  '57P05': 'by idle_session_timeout',
}

function copyRefused(): Failure {
  return new Failure('COPY_REFUSED', 'a statement copies from or to the client')
}

function ignore(): void {
  // Rows of a file, notices and errors after a loss have nobody to go to.
}

function isEmitter(value: unknown): value is NodeJS.EventEmitter {
  return (
    typeof value === 'object' && value !== null && 'on' in value && typeof value.on === 'function'
  )
}
