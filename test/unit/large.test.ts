import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Place } from '../../src/files/bytes.ts'
import { chunksOf } from '../../src/files/chunks.ts'
import { Walk } from '../../src/files/walk.ts'
import { readFolder } from '../../src/files/folder.ts'
import { LargeText, largeBytes } from '../../src/files/large.ts'
import { meaningOf } from '../../src/files/meaning.ts'
import { splitStatements } from '../../src/files/statements.ts'
import { placeIn, stretchesIn } from '../../src/files/stretches.ts'
import { stretchesOf } from '../../src/files/text.ts'
import { failureIn, failureOf, told } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'
import { randomOf, testSeed } from '../support/random.ts'

const file = '0001_a.sql'
const seed = testSeed()

/** A text of all that may lie across an edge, longer than it must be to be large. */
function mixedText(atLeast = largeBytes): string {
  const parts = ['-- head\r\n']
  for (let n = 0, length = 0; length < atLeast; n += 1) {
    const part = [
      `select ${n}, 'é😀''; ${'ü'.repeat(n % 50)}';\r\n`,
      `/* ; 😀 /* nested; */ */ select $a$ ; ${'x'.repeat(n % 700)} $$ ; $a$;\n`,
      `create function f${n}() returns int begin atomic; select 1; end; select (1 ; 2);`,
      `select "a;""b" -- ;\r ;`,
    ][n % 4]
    parts.push(part ?? '')
    length += (part ?? '').length
  }
  parts.push('select 1')
  return parts.join('')
}

async function largeOf(path: string, mostBytes = 2 ** 30): Promise<LargeText> {
  const large = await LargeText.read(join(path, file), file, mostBytes)
  assert.ok(large instanceof LargeText)
  return large
}

/** The text in parts of random lengths, none of which ends within a character. */
function partsOf(text: string, longest: number): string[] {
  const random = randomOf(seed)
  const parts: string[] = []
  for (let at = 0; at < text.length;) {
    let end = at + 1 + random.below(longest)
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1
    parts.push(text.slice(at, end))
    at = end
  }
  return parts
}

const never = (): never => assert.fail('too long')

for (const longest of [3, 100, 5_000]) {
  test(`a text in parts of up to ${longest} characters has the statements of the whole (seed ${seed})`, () => {
    const text = mixedText(30_000)
    const expected = splitStatements(text).statements.map(({ start, end }) =>
      text.slice(start, end),
    )
    const stretches = [...stretchesIn(partsOf(text, longest), 2 ** 20, never)]
    const found = stretches.flatMap((stretch) =>
      stretch.statements.map(({ start, end }) => stretch.text.slice(start, end)),
    )
    assert.deepEqual(found, expected)
    assert.equal(stretches.map((stretch) => stretch.text).join(''), text)
    // Places: those of the whole, whichever stretch a statement is in.
    const whole = [...stretchesOf(text)][0]
    assert.ok(whole)
    const places = stretches.flatMap((s) => s.statements.map(({ start }) => placeIn(s, start)))
    const expectedPlaces = whole.statements.map(({ start }) => placeIn(whole, start))
    assert.deepEqual(places, expectedPlaces)
  })
}

test('a file is cut into chunks where characters end, and places count CR LF once', () => {
  using folder = folderOf({ [file]: '漢'.repeat(200_000) })
  const chunks = [...chunksOf(join(folder.path, file))].map((chunk) => chunk.toString())
  assert.ok(chunks.length > 3)
  assert.equal(chunks.join(''), '漢'.repeat(200_000))
  const walk = new Walk()
  for (const part of ['a\r', '\nb😀', '\r', '\r', 'é']) walk.over(part)
  assert.deepEqual(walk.place, { line: 4, column: 2 })
})

test('what is left open is told with the last stretch, at its place', () => {
  const stretches = [...stretchesIn(['a;\nb', ";\n 'c;", 'd;'], 100, never)]
  const last = stretches.at(-1)
  assert.ok(last?.unclosed)
  assert.deepEqual(placeIn(last, last.unclosed.at), { line: 3, column: 2 })
  assert.ok(stretches.slice(0, -1).every(({ unclosed }) => unclosed === undefined))
})

test('one long statement is lexed a few times, not once for each part', () => {
  const part = 'x'.repeat(1_000)
  let looked = 0
  const parts = (function* () {
    yield "select '"
    for (let n = 0; n < 4_000; n += 1) {
      looked += 1
      yield part
    }
    yield "';"
  })()
  const begunMs = performance.now()
  const [stretch] = [...stretchesIn(parts, 2 ** 30, never)]
  // 4,000 looks at 4 MB are 8 GB, ten seconds and more; by doubling it is 8 MB.
  assert.ok(performance.now() - begunMs < 2_000)
  assert.equal(looked, 4_000)
  assert.equal(stretch?.text.length, 4_000_010)
})

for (const [what, parts] of [
  ['in one part', ["a;\n b'", `${'x'.repeat(200)}';`]],
  ['in many', ['a;\n b', ...Array.from({ length: 30 }, () => 'xxxxxxxxxx'), ';']],
  ['without an end', ['a;\n b', ...Array.from({ length: 30 }, () => 'xxxxxxxxxx')]],
  ['in bytes, not in characters', ['a;\n b', ...Array.from({ length: 14 }, () => '漢漢漢'), ';']],
] as const) {
  test(`a statement that is too long is refused at its place: ${what}`, () => {
    const thrown = new Error('too long')
    let place: unknown
    const tooLong = (at: unknown): never => {
      place = at
      throw thrown
    }
    assert.throws(() => [...stretchesIn(parts, 100, tooLong)], thrown)
    assert.deepEqual(place, { line: 2, column: 2 })
    assert.doesNotThrow(() => [...stretchesIn(parts, 1_000, tooLong)])
  })
}

test('a large file is known by the bytes, says what it says, and comes in pieces that begin with statements', async () => {
  for (const mark of ['', '\uFEFF']) {
    const text = mixedText()
    using folder = folderOf({ [file]: mark + text })
    const { files, warnings } = await readFolder(folder.path, 2 ** 30)
    const [migration] = files
    assert.ok(migration?.text instanceof LargeText)
    assert.equal(warnings.length, mark.length)
    assert.equal(migration.checksum, hash('sha256', mark + text))
    assert.ok(migration.text.isUnknown)
    assert.equal(migration.meaning.file, meaningOf(text).file)
    assert.ok(!migration.text.isUnknown)

    const pieces = [...migration.text.pieces()]
    assert.equal(pieces.map((piece) => piece.text).join(''), text)
    assert.ok(pieces.length > 5)
    assert.deepEqual(
      pieces.map(({ isFirst, isLast }) => [isFirst, isLast]),
      pieces.map((_, index) => [index === 0, index === pieces.length - 1]),
    )
    const [whole] = [...stretchesOf(text)]
    assert.ok(whole)
    const starts = new Set(whole.statements.map(({ start }) => start))
    let at = 0
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) assert.ok(starts.has(at), `piece ${index} begins within a statement`)
      const place: Place = index === 0 ? { line: 1, column: 1 } : placeIn(whole, at)
      assert.deepEqual(piece.begins, place)
      const bytes = Buffer.byteLength(piece.text)
      assert.ok(bytes <= 2 ** 18 && (bytes >= 2 ** 16 || piece.isLast), `${bytes} bytes`)
      at += piece.text.length
    }
  }
})

test('directives of a large file are read, however long the comments above the first statement are', async () => {
  const comment = `-- ${'x'.repeat(100)}\n`.repeat(10_000)
  using folder = folderOf({ [file]: `${comment}/* block */\n-- lockstep: unheard-of\nselect 1;\n` })
  // Directives stand in the lines; the block ends them.
  const stray = await failureIn('DIRECTIVE_INVALID', readFolder(folder.path, 2 ** 30))
  assert.match(told(stray), /0001_a\.sql:10002:1 /)
  folder.write({ [file]: `${comment}-- lockstep: unheard-of\nselect 1;\n${comment}` })
  const failure = await failureIn('DIRECTIVE_UNKNOWN', readFolder(folder.path, 2 ** 30))
  assert.match(told(failure), /0001_a\.sql:10001:1 /)
})

for (const [what, bytes, place] of [
  ['a NUL', Buffer.from('\0'), 'holds a NUL byte,'],
  ['a byte that is not UTF-8', Buffer.from([0xe9]), 'holds byte 0xE9, which is not UTF-8,'],
  ['half a character at the end', Buffer.from([0xf0, 0x9f, 0x98]), 'holds byte 0xF0'],
] as const) {
  test(`${what} far behind is refused with its place`, async () => {
    const before = `${'é'.repeat(70)}\r\n`.repeat(10_000)
    const half = what.startsWith('half')
    const content = Buffer.concat([Buffer.from(`${before}ü`), bytes, Buffer.from(half ? '' : ';')])
    using folder = folderOf({ [file]: content })
    const failure = await failureIn('FILE_CONTENT_INVALID', readFolder(folder.path, 2 ** 30))
    const at = Buffer.byteLength(before) + 2
    assert.ok(told(failure).startsWith(`${file}:10001:2 ${place}`), told(failure))
    assert.ok(failure.message.endsWith(`at byte ${at}`), failure.message)
  })
}

test('a file above the limit is refused by its size', async () => {
  using folder = folderOf({ [file]: mixedText() })
  const failure = await failureIn('FILE_CONTENT_INVALID', readFolder(folder.path, 2 ** 20))
  assert.match(failure.message, /more than LOCKSTEP_MAX_FILE_SIZE allows \(1048576\)/)
})

for (const [what, change, how] of [
  [
    'another byte',
    (path: string, text: string) => writeFileSync(path, `${text.slice(0, -1)}2`),
    'its bytes are others',
  ],
  ['cut short', (path: string, text: string) => truncateSync(path, text.length - 1), ''],
  ['cut to nothing', (path: string) => truncateSync(path), ''],
  ['grown', (path: string) => appendFileSync(path, ';'), ''],
  ['gone', (path: string) => rmSync(path), 'it cannot be read any more: there is no such path'],
] as const) {
  test(`a large file that has changed has no last piece and no meaning: ${what}`, async () => {
    const text = mixedText()
    using folder = folderOf({ [file]: text })
    const path = join(folder.path, file)
    const known = await largeOf(folder.path)
    const unknown = await largeOf(folder.path)
    assert.equal(known.meaning.file, meaningOf(text).file)
    change(path, text)
    const seen: boolean[] = []
    const failure = failureOf('FILE_CHANGED_MEANWHILE', () => {
      for (const { isLast } of known.pieces()) seen.push(isLast)
    })
    assert.ok(!seen.includes(true))
    assert.match(failure.message, new RegExp(`^${file} is not as it was read at first: .*${how}$`))
    failureOf('FILE_CHANGED_MEANWHILE', () => unknown.meaning)
    assert.ok(unknown.isUnknown)
  })
}
