/** What the server said, of what the driver keeps to itself. PostgreSQL manual, 54.7. */
export interface Frames {
  /** Of the session, from BackendKeyData; 0 until then. */
  readonly pid: number
  /** What a CancelRequest must show, from BackendKeyData. */
  readonly secret: Buffer
  /** Settings that the server reports, such as `server_version` and `in_hot_standby`. */
  readonly parameters: ReadonlyMap<string, string>
  /** `I` idle, `T` in a transaction, `E` in a failed one; undefined before the first. */
  readonly status: string | undefined
  /** Tags of the message that is running or ran last, a statement each: `['BEGIN', 'INSERT 0 2']`. */
  readonly tags: readonly string[]
  /** SQLSTATE of the FATAL or PANIC that ended the session. */
  readonly fatal: string | undefined
  /** A COPY from or to the client has begun, which the driver does not survive. */
  readonly copying: boolean
}

/** How a message ended. */
export interface Answer {
  readonly tags: readonly string[]
  /** Of the session behind it: `I`, `T` or `E`. */
  readonly status: string
  /** How many warnings the server sent meanwhile; lesser notices are not asked for. */
  readonly warnings: number
}

export interface FrameReader {
  readonly frames: Frames
  /** Takes bytes as they come from the socket. */
  readonly read: (chunk: Buffer) => void
}

/** Backend messages of interest, by their first byte. Of all others only the length is looked at. */
const kinds = {
  ready: 0x5a, // Z
  commandComplete: 0x43, // C
  error: 0x45, // E
  notice: 0x4e, // N
  parameter: 0x53, // S
  keyData: 0x4b, // K
  copyIn: 0x47, // G
  copyOut: 0x48, // H
  copyBoth: 0x57, // W
} as const
const interesting = new Set<number>(Object.values(kinds))
const headerBytes = 5
const mostTags = 64

/**
 * Reads along, passively: it changes no byte, copies no row, and never throws.
 *
 * @param answered - called at the end of each message but the log-in, in the order of sending
 * @param copies - called when a message begins to copy from or to the client, before it has an end
 */
export function frameReader(
  answered: (answer: Answer) => void,
  copies: () => void = () => undefined,
): FrameReader {
  const frames = {
    pid: 0,
    secret: Buffer.alloc(0),
    parameters: new Map<string, string>(),
    status: undefined as string | undefined,
    tags: [] as string[],
    fatal: undefined as string | undefined,
    copying: false,
  }
  let rest: Buffer = Buffer.alloc(0)
  let skip = 0
  let warnings = 0
  /** The last message has been answered whole; the next frame belongs to another. */
  let between = true

  function handle(kind: number, body: Buffer): void {
    if (kind === kinds.ready) {
      if (between) frames.tags = []
      between = true
      const isLogIn = frames.status === undefined
      frames.status = String.fromCharCode(body[0] ?? 0)
      if (!isLogIn) answered({ tags: frames.tags, status: frames.status, warnings })
      warnings = 0
    } else if (kind === kinds.commandComplete || kind === kinds.error) {
      if (between) frames.tags = []
      between = false
      if (kind === kinds.commandComplete) keepTag(frames.tags, cString(body, 0))
      else frames.fatal = fatalCode(body) ?? frames.fatal
    } else if (kind === kinds.notice) {
      warnings += 1
    } else if (kind === kinds.parameter) {
      const name = cString(body, 0)
      frames.parameters.set(name, cString(body, Buffer.byteLength(name) + 1))
    } else if (kind === kinds.keyData) {
      frames.pid = body.length >= 4 ? body.readInt32BE(0) : 0
      // A copy: a slice would keep the whole chunk of the socket alive.
      frames.secret = Buffer.from(body.subarray(4))
    } else {
      frames.copying = true
      copies()
    }
  }

  function read(chunk: Buffer): void {
    if (skip >= chunk.length) {
      skip -= chunk.length
      return
    }
    const fresh = chunk.subarray(skip)
    skip = 0
    let bytes = rest.length === 0 ? fresh : Buffer.concat([rest, fresh])
    while (bytes.length >= headerBytes) {
      const kind = bytes[0] ?? 0
      const length = bytes.readUInt32BE(1) + 1
      if (interesting.has(kind)) {
        if (bytes.length < length) break
        handle(kind, bytes.subarray(headerBytes, length))
      } else if (bytes.length < length) {
        skip = length - bytes.length
        bytes = Buffer.alloc(0)
        break
      }
      bytes = bytes.subarray(length)
    }
    // A copy, as above.
    rest = Buffer.from(bytes)
  }

  return { frames, read }
}

/** The last tell how a message ended; a file of a million statements has a million. */
function keepTag(tags: string[], tag: string): void {
  if (tags.length === mostTags) tags.shift()
  tags.push(tag)
}

function cString(body: Buffer, from: number): string {
  const end = body.indexOf(0, from)
  return body.toString('utf8', from, end === -1 ? body.length : end)
}

/** SQLSTATE of an ErrorResponse that ends the session. Fields: PostgreSQL manual, 54.8. */
function fatalCode(body: Buffer): string | undefined {
  const fields = new Map<string, string>()
  for (let at = 0; at < body.length && body[at] !== 0;) {
    // By bytes: the text may be in any encoding.
    const end = body.indexOf(0, at)
    fields.set(String.fromCharCode(body[at] ?? 0), cString(body, at + 1))
    at = end === -1 ? body.length : end + 1
  }
  // V is the severity in English, whatever the server's language.
  return /^(FATAL|PANIC)$/.test(fields.get('V') ?? '') ? fields.get('C') : undefined
}
