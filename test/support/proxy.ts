import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { urlOf } from './database.ts'

/** One message of the protocol on its way. PostgreSQL manual, 54.7. */
export interface Frame {
  readonly from: 'server' | 'client'
  /** Counted from 1 for each side, over all connections of the proxy. */
  readonly number: number
  /** First byte: `C`, `Z`; empty for what a client sends first. */
  readonly kind: string
  readonly body: Buffer
}

/**
 * What becomes of a frame. `cut`: it is swallowed and both sides are hung up on. `half`: so, but
 * half of it arrives. `freeze`: from it on nothing is forwarded, and nobody is hung up on.
 */
export type Fate = 'pass' | 'cut' | 'half' | 'freeze'

/** A proxy between program and server that does to connections what networks do. */
export interface Proxy extends AsyncDisposable {
  /** The connection string of the same database through the proxy, without encryption. */
  readonly url: string
  /** Whatever is connected, and whoever connects from now on, gets no answer. */
  freeze(): void
  /** New connections work again; the old ones stay silent for ever. */
  thaw(): void
  /** Hangs up on everybody. */
  cut(): void
}

export async function proxyTo(
  url: string,
  fateOf: (frame: Frame) => Fate = () => 'pass',
): Promise<Proxy> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const counts = { server: 0, client: 0 }
  let isFrozen = false

  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  }
  const freeze = (): void => {
    isFrozen = true
    for (const socket of sockets) socket.removeAllListeners('data').pause()
  }
  const forward = (from: Frame['from'], source: Socket, target: Socket): void => {
    const read = frameReader(from)
    source.on('data', (chunk: Buffer) => {
      for (const { kind, bytes } of read(chunk)) {
        counts[from] += 1
        const fate = fateOf({ from, number: counts[from], kind, body: bytes.subarray(5) })
        if (fate === 'freeze') freeze()
        if (fate === 'half') target.write(bytes.subarray(0, Math.ceil(bytes.length / 2)))
        if (fate === 'pass') {
          target.write(bytes)
          continue
        }
        if (fate !== 'freeze') {
          target.destroySoon()
          source.destroy()
        }
        return
      }
    })
    source.on('close', () => {
      if (!isFrozen) target.destroySoon()
    })
  }

  const server = createServer((client) => {
    keep(client)
    if (isFrozen) return
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    keep(upstream)
    client.setNoDelay(true)
    forward('client', client, upstream)
    forward('server', upstream, client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `${urlOf(url, { host: `127.0.0.1:${address.port}` })}?sslmode=disable`,
    freeze,
    thaw: () => {
      isFrozen = false
    },
    cut,
    [Symbol.asyncDispose]: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Cuts a stream into frames; a client’s first has no kind. */
function frameReader(from: Frame['from']): (chunk: Buffer) => { kind: string; bytes: Buffer }[] {
  let rest: Buffer = Buffer.alloc(0)
  let isFirst = from === 'client'
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const frames = []
    for (;;) {
      const kindBytes = isFirst ? 0 : 1
      if (rest.length < kindBytes + 4) return frames
      const length = kindBytes + rest.readUInt32BE(kindBytes)
      if (rest.length < length) return frames
      frames.push({
        kind: rest.toString('latin1', 0, kindBytes),
        bytes: rest.subarray(0, length),
      })
      rest = rest.subarray(length)
      isFirst = false
    }
  }
}
