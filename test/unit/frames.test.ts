import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { frameReader, type Frames } from '../../src/postgres/frames.ts'
import { randomOf, testSeed } from '../support/random.ts'

/** A backend message: kind, length of the rest including itself, body. PostgreSQL manual, 54.7. */
function message(kind: string, ...body: readonly (string | Buffer)[]): Buffer {
  const rest = Buffer.concat(body.map((part) => Buffer.from(part)))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(rest.length + 4)
  return Buffer.concat([Buffer.from(kind), length, rest])
}

const ready = (status: 'I' | 'T' | 'E'): Buffer => message('Z', status)
const complete = (tag: string): Buffer => message('C', `${tag}\0`)
const parameter = (name: string, value: string): Buffer => message('S', `${name}\0${value}\0`)
const error = (severity: string, code: string, text = 'it went wrong'): Buffer =>
  message('E', `S${severity}\0V${severity}\0C${code}\0M${text}\0\0`)

function ignore(): void {
  // What is told of each message is of no interest here.
}

function keyData(pid: number): Buffer {
  const body = Buffer.alloc(8)
  body.writeInt32BE(pid)
  body.writeInt32BE(-1, 4)
  return message('K', body)
}

const initial: Frames = {
  pid: 0,
  secret: Buffer.alloc(0),
  parameters: new Map(),
  status: undefined,
  tags: [],
  fatal: undefined,
  copying: false,
}

// A session from log-in to its end: each message, and what it changes. Kinds that are of no interest
// hold bytes that would be read as messages if their length were not respected.
const decoy = Buffer.concat([complete('DECOY'), ready('E'), error('FATAL', '00000')])
// oxfmt-ignore
const session: readonly (readonly [Buffer, Partial<Frames>])[] = [
  [message('R', Buffer.from([0, 0, 0, 12]), decoy), {}],
  [parameter('server_version', '18.4'), { parameters: new Map([['server_version', '18.4']]) }],
  [parameter('x', ''), { parameters: new Map([['server_version', '18.4'], ['x', '']]) }],
  [keyData(4711), { pid: 4711, secret: Buffer.from([255, 255, 255, 255]) }],
  [ready('I'), { status: 'I' }],
  // A message of three statements.
  [complete('BEGIN'), { tags: ['BEGIN'] }],
  [message('T', decoy), {}],
  [message('D', decoy, decoy), {}],
  [complete('SELECT 1'), { tags: ['BEGIN', 'SELECT 1'] }],
  [message('N', 'SNOTICE\0VFATAL\0C00000\0', decoy), {}],
  [complete('INSERT 0 2'), { tags: ['BEGIN', 'SELECT 1', 'INSERT 0 2'] }],
  [ready('T'), { status: 'T' }],
  // One that fails; the tags are those of this message alone.
  [complete('SAVEPOINT'), { tags: ['SAVEPOINT'] }],
  [error('ERROR', '23505'), {}],
  [ready('E'), { status: 'E' }],
  [error('ERROR', '25P02'), { tags: [] }],
  [ready('E'), {}],
  [complete('ROLLBACK'), { tags: ['ROLLBACK'] }],
  [ready('I'), { status: 'I' }],
  // One without a statement.
  [message('I'), {}],
  [ready('I'), { tags: [] }],
  [message('A', decoy), {}],
  [complete('SELECT 0'), { tags: ['SELECT 0'] }],
  [ready('I'), {}],
  [message('G', Buffer.from([0, 0, 0])), { copying: true }],
  [error('FATAL', '57P01'), { fatal: '57P01', tags: [] }],
]

const whole = Buffer.concat(session.map(([bytes]) => bytes))

/** What is known after so many messages of the session. */
function knownAfter(messages: number): Frames {
  const changes = session.slice(0, messages).map(([, change]) => change)
  return Object.assign({}, initial, ...changes)
}

/** Feeds bytes in parts that end at the given places. */
function readIn(bytes: Buffer, ends: readonly number[]): Frames {
  const { frames, read } = frameReader(ignore)
  let from = 0
  for (const end of [...ends, bytes.length]) {
    read(bytes.subarray(from, end))
    from = end
  }
  return frames
}

test('each message of a session is read for what it says', () => {
  const { frames, read } = frameReader(ignore)
  assert.deepEqual(frames, initial)
  for (const [index, [bytes]] of session.entries()) {
    read(bytes)
    assert.deepEqual(frames, knownAfter(index + 1), `message ${index}`)
  }
})

test('it is the same however the bytes are cut', () => {
  for (let size = 1; size <= 40; size += 1) {
    const ends = Array.from({ length: Math.floor(whole.length / size) }, (_, i) => (i + 1) * size)
    assert.deepEqual(readIn(whole, ends), knownAfter(session.length), `parts of ${size} bytes`)
  }
  const seed = testSeed()
  const random = randomOf(seed)
  for (let round = 0; round < 500; round += 1) {
    const cuts = Array.from({ length: random.below(30) }, () => random.below(whole.length))
    const ends = cuts.toSorted((a, b) => a - b)
    assert.deepEqual(readIn(whole, ends), knownAfter(session.length), `seed ${seed}`)
  }
})

test('a message counts when its last byte has come, and not before', () => {
  let start = 0
  for (const [index, [bytes]] of session.entries()) {
    const almost = whole.subarray(0, start + bytes.length - 1)
    assert.deepEqual(readIn(almost, [start]), knownAfter(index), `message ${index}`)
    start += bytes.length
  }
})

for (const kind of ['G', 'H', 'W']) {
  test(`${kind} is a COPY with the client`, () => {
    assert.equal(readIn(message(kind, Buffer.alloc(3)), []).copying, true)
  })
}

for (const kind of [
  'd',
  'c',
  'D',
  'T',
  'N',
  'A',
  '1',
  '2',
  '3',
  'n',
  's',
  't',
  'v',
  'V',
  'I',
  'R',
]) {
  test(`${kind} changes nothing`, () => {
    assert.deepEqual(readIn(message(kind, decoy), []), initial)
  })
}

for (const [severity, code, fatal] of [
  ['FATAL', '57P01', '57P01'],
  ['PANIC', 'XX000', 'XX000'],
  ['ERROR', '57014', undefined],
  ['WARNING', '01000', undefined],
] as const) {
  test(`after ${severity} ${code} the session has ${fatal === undefined ? 'not ' : ''}ended`, () => {
    assert.equal(readIn(error(severity, code), []).fatal, fatal)
  })
}

test('severity is read in English, whatever language the server speaks', () => {
  const latin = message('E', 'SFATALE FÜR\0VFATAL\0C57P01\0Mverdächtig\0\0')
  assert.equal(readIn(latin, []).fatal, '57P01')
  const misleading = message('E', 'SFATAL\0VERROR\0C57P01\0\0')
  assert.equal(readIn(misleading, []).fatal, undefined)
})

// Before the encoding is agreed upon a server may speak in its own: 致命错误 in GBK.
test('severity is read in whatever encoding the server speaks', () => {
  const gbk = Buffer.from('d6c2c3fcb4edcef3', 'hex')
  const foreign = message('E', 'S', gbk, '\0VFATAL\0C57P01\0M', gbk, '\0\0')
  assert.equal(readIn(foreign, []).fatal, '57P01')
})

test('a later error does not take back why the server hung up', () => {
  assert.equal(
    readIn(Buffer.concat([error('FATAL', '57P01'), error('ERROR', '42601')]), []).fatal,
    '57P01',
  )
})

test('text that looks like fields of an error is not taken for them', () => {
  assert.equal(readIn(error('ERROR', '22000', 'VFATAL C57P01'), []).fatal, undefined)
})

test('a large row is passed over without being kept', () => {
  const { frames, read } = frameReader(ignore)
  const size = 256 * 2 ** 20
  const header = message('D').fill(0, 1)
  header.writeUInt32BE(size + 4, 1)
  const part = Buffer.alloc(2 ** 20, 'Z')
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  read(Buffer.concat([complete('BEGIN'), header]))
  for (let left = size; left > 0; left -= part.length) {
    read(part)
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  read(ready('T'))
  assert.deepEqual(frames, { ...initial, tags: ['BEGIN'], status: 'T' })
  assert.ok(most < 8 * 2 ** 20, `${most} bytes were kept`)
})

test('the few bytes that are kept of a chunk do not keep the chunk', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: unknown = runInNewContext('gc')
  assert.ok(typeof collectGarbage === 'function')
  const { frames, read } = frameReader(ignore)
  const begin = complete('BEGIN')
  const readChunk = (): WeakRef<ArrayBufferLike> => {
    const chunk = Buffer.concat([message('D', Buffer.alloc(2 ** 16)), begin.subarray(0, 7)])
    read(chunk)
    return new WeakRef(chunk.buffer)
  }
  const chunk = readChunk()
  // A weak reference is a strong one until the turn ends.
  await nextTurn()
  collectGarbage()
  assert.equal(chunk.deref(), undefined)
  read(begin.subarray(7))
  assert.deepEqual(frames.tags, ['BEGIN'])
})

test('no bytes whatever make it throw', () => {
  const seed = testSeed()
  const random = randomOf(seed)
  const kinds = Buffer.from('ZCESKGHWDTNR\0\xff', 'latin1')
  for (let round = 0; round < 5_000; round += 1) {
    const bytes = Buffer.from(Array.from({ length: random.below(60) }, () => random.below(256)))
    // Lengths are made small now and then, so that garbage is also taken for whole messages.
    for (let at = 0; at + 5 < bytes.length; at += 1 + random.below(12)) {
      bytes[at] = kinds[random.below(kinds.length)] ?? 0
      if (!random.oneIn(4)) bytes.writeUInt32BE(random.below(12), at + 1)
    }
    const cuts = Array.from({ length: random.below(5) }, () => random.below(bytes.length + 1))
    const ends = cuts.toSorted((a, b) => a - b)
    assert.doesNotThrow(() => readIn(bytes, ends), `seed ${seed}: ${bytes.toString('hex')}`)
  }
})

test('a message that is shorter than its kind demands is read as far as it goes', () => {
  for (const kind of 'ZCESKGHW') {
    for (const body of ['', 'x', 'xy', 'S', 'V', 'VFATAL', 'VFATAL\0C', 'C57P01']) {
      assert.doesNotThrow(() => readIn(Buffer.concat([message(kind, body), ready('I')]), []))
    }
  }
  assert.equal(readIn(Buffer.concat([message('K', 'xyz'), ready('T')]), []).status, 'T')
})
