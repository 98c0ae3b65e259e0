import type { Place } from './bytes.ts'
import { Walk } from './walk.ts'
import { closeSync, constants, openSync, readSync } from 'node:fs'

const chunkBytes = 2 ** 17

/**
 * The bytes of a file, a chunk at a time; of UTF-8 no chunk ends within a character. A chunk is good
 * until the next one is asked for: all share one place.
 */
export function* chunksOf(path: string): Generator<Buffer> {
  const fd = openToRead(path)
  try {
    const place = Buffer.allocUnsafeSlow(chunkBytes)
    let kept = 0
    for (;;) {
      const read = readSync(fd, place, kept, chunkBytes - kept, null)
      const end = kept + read
      const whole = read === 0 ? end : wholeLength(place.subarray(0, end))
      if (whole > 0) yield place.subarray(0, whole)
      if (read === 0) return
      place.copyWithin(0, whole, end)
      kept = end - whole
    }
  } finally {
    closeSync(fd)
  }
}

/** Not blocking: to open a FIFO would wait for a writer, for ever. */
export function openToRead(path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
}

const longestCharacter = 4

/** Without the character at the end of which a part is missing. */
function wholeLength(bytes: Buffer): number {
  for (let back = 1; back < longestCharacter && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    const length = byte < 0x80 ? 1 : byte < 0xc0 ? 0 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    if (length > 0) return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** Reads the file again: only whoever is told of a problem needs its place. */
export function placeOfByteIn(path: string, at: number): Place {
  const walk = new Walk()
  let left = at
  for (const chunk of chunksOf(path)) {
    walk.over(chunk.toString('utf8', 0, left))
    left -= chunk.length
    if (left <= 0) break
  }
  return walk.place
}
