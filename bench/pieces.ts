import { readFileSync } from 'node:fs'
import postgres from 'postgres'

/** As many bytes as Lockstep sends at once, and as many messages before the first is answered. */
const pieceBytes = 2 ** 17
const mostInFlight = 8

/**
 * Milliseconds that a server takes for a text that is sent in one transaction, in pieces of whole
 * lines that lie ready, never waiting for the client: nobody who sends these statements can be faster.
 */
export async function timeOfPieces(url: string, file: string): Promise<number> {
  const pieces = linesTogether(readFileSync(file, 'utf8'))
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined })
  try {
    await client.unsafe('begin').simple()
    const begunMs = performance.now()
    const flights: Promise<unknown>[] = []
    for (const piece of pieces) {
      if (flights.length >= mostInFlight) await flights.shift()
      flights.push(client.unsafe(piece).simple().execute())
    }
    await Promise.all(flights)
    await client.unsafe('commit').simple()
    return performance.now() - begunMs
  } finally {
    await client.end({ timeout: 1 })
  }
}

function linesTogether(text: string): string[] {
  const pieces: string[] = []
  for (let from = 0; from < text.length;) {
    const lineEnd = text.indexOf('\n', from + pieceBytes)
    const until = lineEnd === -1 ? text.length : lineEnd + 1
    pieces.push(text.slice(from, until))
    from = until
  }
  return pieces
}
