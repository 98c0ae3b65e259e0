import type { Socket } from 'node:net'
import type { Frames } from './frames.ts'

/** CancelRequest: its code is 80877102. PostgreSQL manual, 54.2.8. */
const cancelCode = 80_877_102

/**
 * Asks the server to cancel what a session runs, by a connection of its own. Resolves when the
 * server has hung up, so the cancel is on its way; whether it came in time nobody says.
 *
 * Not by the driver, whose failure to connect would end the process.
 *
 * @param socket - a new one to the same server
 */
export async function cancel(
  socket: Socket,
  { pid, secret }: Frames,
  stop: AbortSignal,
): Promise<void> {
  const request = Buffer.alloc(12)
  request.writeInt32BE(request.length + secret.length)
  request.writeInt32BE(cancelCode, 4)
  request.writeInt32BE(pid, 8)
  await new Promise<void>((resolve) => {
    stop.addEventListener('abort', () => socket.destroy(), { once: true })
    socket.on('error', () => resolve()).on('close', () => resolve())
    // Written and not ended: PgBouncer 1.18 dies of a client that hangs up before it has passed on the
    // request (“bad client state”). Who got it hangs up, as libpq expects.
    socket.write(Buffer.concat([request, secret]))
    socket.resume()
  })
}
