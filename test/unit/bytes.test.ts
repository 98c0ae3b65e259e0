import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { test } from 'node:test'
import {
  byteProblem,
  codePoints,
  placeOfByte,
  placeOfCodePoint,
  toText,
} from '../../src/files/bytes.ts'
import { randomOf, testSeed } from '../support/random.ts'

function bytesOf(...parts: readonly (string | readonly number[])[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
  )
}

for (const [what, bytes] of [
  ['nothing', bytesOf()],
  ['text', bytesOf('select 1;\n')],
  ['characters of two, three and four bytes', bytesOf('é…🐘')],
  ['a byte order mark', bytesOf('\u{FEFF}select 1')],
  ['U+FFFD that is meant', bytesOf('\u{FFFD}a\u{FFFD}')],
  ['the highest code point', bytesOf('\u{10FFFF}')],
  ['control characters', bytesOf([1, 7, 27, 127])],
] as const) {
  test(`${what} can be read as text`, () => {
    assert.equal(byteProblem(bytes), undefined)
  })
}

for (const [what, bytes, at, said] of [
  ['a NUL byte', bytesOf('ab', [0], 'c'), 2, 'a NUL byte'],
  ['a NUL byte at the end', bytesOf('select 1;', [0]), 9, 'a NUL byte'],
  ['a NUL byte before other bad bytes', bytesOf('a', [0, 0xff]), 1, 'a NUL byte (a UTF-16 file?)'],
  ['UTF-16LE', Buffer.from('ab', 'utf16le'), 1, 'a NUL byte (a UTF-16 file?)'],
  ['UTF-16BE', bytesOf([0, 0x61]), 0, 'a NUL byte (a UTF-16 file?)'],
  ['UTF-16LE with a mark', bytesOf([0xff, 0xfe, 0x61, 0]), 3, 'a NUL byte (a UTF-16 file?)'],
  ['UTF-16BE with a mark', bytesOf([0xfe, 0xff, 0, 0x61]), 2, 'a NUL byte (a UTF-16 file?)'],
  ['Latin-1', bytesOf('caf', [0xe9], ' '), 3, 'byte 0xE9, which is not UTF-8'],
  ['Latin-1 at the end', bytesOf('caf', [0xe9]), 3, 'byte 0xE9, which is not UTF-8'],
  ['half a character at the end', bytesOf('é', [0xc3]), 2, 'byte 0xC3, which is not UTF-8'],
  ['an overlong character', bytesOf('a', [0xc0, 0xaf]), 1, 'byte 0xC0, which is not UTF-8'],
  [
    'half of a surrogate pair',
    bytesOf('a', [0xed, 0xa0, 0x80]),
    1,
    'byte 0xED, which is not UTF-8',
  ],
  ['beyond Unicode', bytesOf([0xf4, 0x90, 0x80, 0x80]), 0, 'byte 0xF4, which is not UTF-8'],
  ['behind a real U+FFFD', bytesOf('\u{FFFD}é', [0x80]), 5, 'byte 0x80, which is not UTF-8'],
  ['two thirds of U+FFFD', bytesOf('a', [0xef, 0xbf]), 1, 'byte 0xEF, which is not UTF-8'],
] as const) {
  test(`it is told where the bytes end to be text: ${what}`, () => {
    assert.deepEqual(byteProblem(bytes), { at, what: said })
  })
}

test('the first bad byte is where the longest good beginning ends, whatever the bytes', () => {
  const seed = testSeed()
  const random = randomOf(seed)
  const pieces = ['a', '\n', 'é', '\u{FFFD}', '🐘', [0xff], [0xc3], [0xef, 0xbf], [0xf0, 0x9f]]
  for (let round = 0; round < 5_000; round += 1) {
    const parts = Array.from({ length: random.below(8) }, () => pieces[random.below(9)] ?? 'a')
    const bytes = bytesOf(...parts)
    const good = [...bytes.keys(), bytes.length].filter((end) => isUtf8(bytes.subarray(0, end)))
    const expected = isUtf8(bytes) ? undefined : good.at(-1)
    assert.equal(byteProblem(bytes)?.at, expected, `seed ${seed}: ${bytes.toString('hex')}`)
  }
})

for (const [text, at, line, column] of [
  ['', 0, 1, 1],
  ['abc', 0, 1, 1],
  ['abc', 2, 1, 3],
  ['abc', 3, 1, 4],
  ['a\nb', 1, 1, 2],
  ['a\nb', 2, 2, 1],
  ['a\r\nb\r\nc', 6, 3, 1],
  ['a\rb', 2, 2, 1],
  ['a\n\nb', 3, 3, 1],
  ['🐘🐘x', 2, 1, 3],
  ['é\n🐘x', 3, 2, 2],
  ['e\u{301}x', 2, 1, 3], // an accent of its own is a code point
  ['ab', 9, 1, 3],
] as const) {
  test(`code point ${at} of ${JSON.stringify(text)} is line ${line}, column ${column}`, () => {
    assert.deepEqual(placeOfCodePoint(text, at), { line, column })
    const bytesBefore = Buffer.byteLength(Array.from(text).slice(0, at).join(''))
    assert.deepEqual(placeOfByte(Buffer.from(text), bytesBefore), { line, column })
  })
}

test('length is counted in code points', () => {
  assert.deepEqual(['', 'abc', 'é', '🐘', 'e\u{301}', 'a\r\n'].map(codePoints), [0, 3, 1, 1, 2, 3])
})

for (const [bytes, text, hadByteOrderMark] of [
  [bytesOf(), '', false],
  [bytesOf('é'), 'é', false],
  [bytesOf([0xef, 0xbb, 0xbf], 'a'), 'a', true],
  [bytesOf([0xef, 0xbb, 0xbf]), '', true],
  [bytesOf('\u{FEFF}\u{FEFF}a'), '\u{FEFF}a', true], // only the one that editors leave
  [bytesOf('a\u{FEFF}'), 'a\u{FEFF}', false],
  [bytesOf([0xef, 0xbb]), '\u{FFFD}', false],
] as const) {
  test(`${bytes.toString('hex') || 'nothing'} becomes ${JSON.stringify(text)}`, () => {
    assert.deepEqual(toText(bytes), { text, hadByteOrderMark })
  })
}
