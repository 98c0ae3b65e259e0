import { connect, type Socket } from 'node:net'
import { Failure } from '../failure.ts'
import { describeAddress, type Address } from './address.ts'
import { beginTls, describeTls } from './tls.ts'
import { HandshakeFailure, isTlsError } from './tls-errors.ts'

/** SSLRequest: length 8, code 80877103. PostgreSQL manual, 54.2.11. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

/** Seconds of silence after which the kernel asks whether the peer is alive, then every five, thrice. */
const keepAlive = { idleMs: 10_000, intervalMs: 5_000, count: 3 }

export interface Dialled {
  readonly socket: Socket
  /** For people: `TLS verify-full`, `no TLS`, `unix socket`. */
  readonly encryption: string
  /** Where it leads, so that another one beside it leads there too, in the same way. */
  readonly place: Address
  /** What the socket reports later: in TLS 1.3 a server looks at a client certificate at last. */
  readonly errors: readonly Error[]
}

type Way = 'plain' | 'TLS'

/** The ways to connect, in their order: a later one if the server refuses the one before it. */
export function waysOf({ host, tls }: Address): readonly [Way, ...Way[]] {
  if (host.startsWith('/') || tls.mode === 'disable') return ['plain']
  if (tls.mode === 'allow') return ['plain', 'TLS']
  return tls.mode === 'prefer' ? ['TLS', 'plain'] : ['TLS']
}

/**
 * Opens one connection in one of the address's ways, ready for the first message.
 *
 * @throws {Failure} TLS_FAILED, if the handshake failed a HandshakeFailure; whatever Node says of an
 *   unreachable address
 */
export async function dial(
  address: Address,
  signal: AbortSignal,
  way: Way = waysOf(address)[0],
): Promise<Dialled> {
  const isUnix = address.host.startsWith('/')
  const plain = isUnix
    ? connect({ path: `${address.host}/.s.PGSQL.${address.port}` })
    : connect({ host: address.ip ?? address.host, port: address.port, noDelay: true })
  const errors: Error[] = []
  // Also because between two steps nobody else listens, and an error unheard ends the process.
  plain.on('error', (error) => errors.push(error))
  let socket: Socket = plain
  const giveUp = (reason: unknown): void => {
    socket.destroy(reason instanceof Error ? reason : new Error('stopped'))
  }
  const abort = (): void => giveUp(signal.reason)
  const late = setTimeout(() => giveUp(tooLate()), address.connectTimeoutMs)
  signal.addEventListener('abort', abort)
  try {
    signal.throwIfAborted()
    await event(plain, 'connect')
    if (isUnix) return { socket, encryption: 'unix socket', place: address, errors }
    const { tls } = address
    // A name may lead to several servers.
    const reached = { ...address, ip: plain.remoteAddress }
    plain.setKeepAlive(true, keepAlive.idleMs, keepAlive.intervalMs, keepAlive.count)
    if (way === 'plain' || !(await offersTls(plain, address)))
      return { socket, encryption: 'no TLS', place: withMode(reached, 'disable'), errors }
    const node = await import('node:tls')
    if (plain.destroyed) throw plain.errored ?? connectionClosed()
    const encrypted = beginTls(node, plain, address).on('error', (error) => errors.push(error))
    socket = encrypted
    await event(encrypted, 'secureConnect')
    // Without the agreement on the protocol another service could answer (PostgreSQL manual, 54.2.11).
    if (tls.direct && encrypted.alpnProtocol !== 'postgresql')
      throw new Failure('TLS_FAILED', `${describeAddress(address)} does not take TLS directly`)
    const mode = tls.mode === 'allow' || tls.mode === 'prefer' ? 'require' : tls.mode
    return { socket, encryption: describeTls(tls), place: withMode(reached, mode), errors }
  } catch (error) {
    socket.destroy()
    plain.destroy()
    throw isTlsError(error) && socket !== plain ? new HandshakeFailure(error, address) : error
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', abort)
  }
}

function withMode(address: Address, mode: Address['tls']['mode']): Address {
  return { ...address, tls: { ...address.tls, mode } }
}

/** Asks the server for TLS, where that is to be asked. */
async function offersTls(plain: Socket, address: Address): Promise<boolean> {
  const { mode, direct } = address.tls
  if (direct) return true
  plain.write(sslRequest)
  const answer = await firstByte(plain)
  if (answer === 'S') return true
  // E: the server could not start a process; its text is not to be trusted (CVE-2024-10977).
  if (answer === 'E') throw connectionClosed()
  const place = describeAddress(address)
  if (answer !== 'N') throw new Failure('TLS_FAILED', `what answers at ${place} is no PostgreSQL`)
  if (mode === 'allow' || mode === 'prefer') return false
  throw new Failure('TLS_FAILED', `${place} does not offer TLS, and sslmode is ${mode}`)
}

/** Resolves with the event, rejects with the socket's error or end. */
function event(socket: Socket, name: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => (): void => {
      socket.off('error', failed).off('close', closed).off(name, ready)
      end()
    }
    const failed = (error: Error): void => settle(() => reject(error))()
    const closed = settle(() => reject(connectionClosed()))
    const ready = settle(resolve)
    socket.on('error', failed).on('close', closed).on(name, ready)
  })
}
/** The one byte with which the server answers an SSLRequest; whatever follows it stays unread. */
function firstByte(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(error)
    const closed = (): void => reject(connectionClosed())
    const readable = (): void => {
      // Bytes behind the answer would be from a man in the middle (CVE-2021-23222).
      const bytes: Buffer | null = socket.read()
      if (bytes === null) return
      socket.off('error', failed).off('close', closed).off('readable', readable)
      if (bytes.length === 1) resolve(bytes.toString('latin1'))
      else
        reject(
          new Failure('TLS_FAILED', 'the server sent more than one byte in answer to SSLRequest'),
        )
    }
    socket.on('error', failed).on('close', closed).on('readable', readable)
  })
}

/** By the name that `AbortSignal.timeout` gives it, which takes Node longer to make than a timer. */
function tooLate(): Error {
  return Object.assign(new Error('too late'), { name: 'TimeoutError' })
}

function connectionClosed(): Error {
  return Object.assign(new Error('closed'), { code: 'ECONNRESET' })
}
