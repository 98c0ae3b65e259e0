import { readFileSync } from 'node:fs'
import { connect, isIP, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Failure } from '../errors.ts'
import type { Address } from './address.ts'

/** SSLRequest: length 8, code 80877103. PostgreSQL manual, 54.2.11. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

/** Seconds of silence after which the kernel asks whether the peer is alive, then every five, thrice. */
const keepAlive = { idleMs: 10_000, intervalMs: 5_000, count: 3 }

export interface Dialled {
  readonly socket: Socket
  /** For people: `TLS verify-full`, `no TLS`, `unix socket`. */
  readonly encryption: string
}

/**
 * Opens one connection, encrypted as `sslmode` wants it, ready for the first message.
 *
 * @throws {Failure} TLS_FAILED; whatever Node says of an unreachable address
 */
export async function dial(address: Address, signal: AbortSignal): Promise<Dialled> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(address.connectTimeoutMs)])
  const isUnix = address.host.startsWith('/')
  const socket = isUnix
    ? connect({ path: `${address.host}/.s.PGSQL.${address.port}` })
    : connect({ host: address.host, port: address.port, noDelay: true })
  const abort = (): void => {
    socket.destroy(deadline.reason instanceof Error ? deadline.reason : new Error('stopped'))
  }
  deadline.addEventListener('abort', abort, { once: true })
  try {
    deadline.throwIfAborted()
    await event(socket, 'connect')
    if (isUnix) return { socket, encryption: 'unix socket' }
    socket.setKeepAlive(true, keepAlive.idleMs, keepAlive.intervalMs, keepAlive.count)
    if (address.sslMode === 'disable') return { socket, encryption: 'no TLS' }
    return await encrypt(socket, address, deadline)
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    deadline.removeEventListener('abort', abort)
  }
}

async function encrypt(plain: Socket, address: Address, deadline: AbortSignal): Promise<Dialled> {
  const mode = address.sslMode
  plain.write(sslRequest)
  const answer = await firstByte(plain)
  if (answer !== 'S') {
    if (mode === 'prefer' || mode === 'allow') return { socket: plain, encryption: 'no TLS' }
    throw new Failure('TLS_FAILED', `the server does not offer TLS, and sslmode is ${mode}`)
  }
  const verifies = mode === 'verify-ca' || mode === 'verify-full'
  const options: ConnectionOptions = {
    socket: plain,
    rejectUnauthorized: verifies,
    // Without it Node checks an IP address against the name `localhost`.
    host: address.host,
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    ...(address.sslRootCert === undefined ? {} : { ca: readCertificates(address.sslRootCert) }),
    ...(mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  }
  // Loaded only here: it is the largest of Node's modules that a run may need.
  const { connect: connectTls } = await import('node:tls')
  const socket = connectTls(options)
  const abort = (): void => {
    socket.destroy(new Error('timed out'))
  }
  deadline.addEventListener('abort', abort, { once: true })
  try {
    await event(socket, 'secureConnect')
  } catch (error) {
    socket.destroy()
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    if (!verifies) throw error
    throw new Failure(
      'TLS_FAILED',
      `the server’s certificate does not pass sslmode ${mode} (${code})`,
    )
  } finally {
    deadline.removeEventListener('abort', abort)
  }
  return { socket, encryption: `TLS ${mode}` }
}

function readCertificates(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    throw new Failure('TLS_FAILED', `cannot read the file that sslrootcert names`)
  }
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

function connectionClosed(): Error {
  return Object.assign(new Error('closed'), { code: 'ECONNRESET' })
}
