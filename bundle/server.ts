import { createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { createServer, type Socket } from 'node:net'

/** A row of one query: values by columns, as PostgreSQL writes them. */
type Row = Readonly<Record<string, string>>

interface ScriptedServer extends AsyncDisposable {
  readonly url: string
}

const user = 'rehearsal'
const password = 'rehearsal'
const pid = 4711

/**
 * Plays as much of PostgreSQL's protocol (manual, chapter 54) as a rehearsal needs: no TLS, a log-in by
 * SCRAM, and the same row in answer to every query. A real server is not there where images are built.
 */
export async function startScriptedServer(answer: (pid: number) => Row): Promise<ScriptedServer> {
  const server = createServer((socket) => serve(socket, answer(pid)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `postgres://${user}:${password}@127.0.0.1:${address.port}/rehearsal`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

function serve(socket: Socket, row: Row): void {
  const login = scram()
  /** Each message of the client, in the order of this conversation, and what is said to it. */
  const conversation: ((message: Buffer) => Buffer | string)[] = [
    () => 'N', // SSLRequest
    () => frame('R', int32(10), 'SCRAM-SHA-256\0\0'),
    (first) => frame('R', int32(11), login.first(after(first, 'n,,'))),
    (final) => Buffer.concat([frame('R', int32(12), login.final(final.toString())), welcome()]),
  ]
  socket.on('data', (message) => {
    const say = conversation.shift()
    if (say) socket.write(say(message))
    else if (message[0] === 0x51) socket.write(rowOf(row)) // Q
    else socket.end()
  })
}

function welcome(): Buffer {
  return Buffer.concat([
    frame('R', int32(0)),
    frame('S', 'server_version\x0018.0\0'),
    frame('S', 'in_hot_standby\0off\0'),
    frame('K', int32(pid), int32(0)),
    frame('Z', 'I'),
  ])
}

/** The types are those of the columns that the program parses: pid is an int4, rows are json. */
const types: Readonly<Record<string, number>> = { pid: 23, rows: 114 }
const textType = 25

function rowOf(row: Row): Buffer {
  const columns = Object.entries(row)
  return Buffer.concat([
    frame(
      'T',
      int16(columns.length),
      ...columns.flatMap(([name]) => [
        `${name}\0`,
        int32(0),
        int16(0),
        int32(types[name] ?? textType),
        int16(-1),
        int32(-1),
        int16(0),
      ]),
    ),
    frame(
      'D',
      int16(columns.length),
      ...columns.flatMap(([, value]) => [int32(Buffer.byteLength(value)), value]),
    ),
    frame('C', 'SELECT 1\0'),
    frame('Z', 'I'),
  ])
}

/** The server's side of SCRAM-SHA-256, RFC 5802, which believes the client. */
function scram() {
  const salt = randomBytes(16)
  const iterations = 4096
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const told: string[] = []
  return {
    first: (clientFirst: string): string => {
      const nonce = `${/r=(.*)$/.exec(clientFirst)?.[1] ?? ''}${randomBytes(9).toString('base64')}`
      const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${iterations}`
      told.push(clientFirst, serverFirst)
      return serverFirst
    },
    final: (message: string): string => {
      const withoutProof = /(c=.*),p=/.exec(message)?.[1] ?? ''
      const key = hmac(salted, 'Server Key')
      return `v=${hmac(key, [...told, withoutProof].join()).toString('base64')}`
    },
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function after(message: Buffer, mark: string): string {
  const text = message.toString()
  return text.slice(text.indexOf(mark) + mark.length)
}

function frame(kind: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
  )
  return Buffer.concat([Buffer.from(kind), int32(body.length + 4), body])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
