import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identifier, inDollars, literal, optional } from '../../src/postgres/quote.ts'
import { randomOf, testSeed } from '../support/random.ts'

for (const [value, quoted] of [
  ['', `''`],
  ['plain', `'plain'`],
  [`it's`, `'it''s'`],
  [`'`, `''''`],
  [`''; drop table leads; --`, `'''''; drop table leads; --'`],
  ['a\\b', String.raw`E'a\\b'`],
  [`\\'`, String.raw`E'\\'''`],
  ['line\nfeed', `'line\nfeed'`],
  ['"double"', `'"double"'`],
  ['$$', `'$$'`],
  ['ü🐘', `'ü🐘'`],
] as const) {
  test(`${JSON.stringify(value)} is written as ${JSON.stringify(quoted)}`, () => {
    assert.equal(literal(value), quoted)
    assert.equal(optional(value), quoted)
  })
}

/** What PostgreSQL makes of a literal; manual, 4.1.2. `standard` is standard_conforming_strings. */
function readLiteral(text: string, standard: boolean): string {
  const [, escapes, body] = /^(E?)'((?:[^']|'')*)'$/s.exec(text) ?? []
  assert.ok(body !== undefined, `${text} does not end where it should`)
  const unquoted = body.replaceAll("''", "'")
  return escapes === 'E' || !standard ? unquoted.replaceAll(/\\(.)/gs, '$1') : unquoted
}

test('a literal reads as its value, whatever standard_conforming_strings says', () => {
  const seed = testSeed()
  const random = randomOf(seed)
  for (let round = 0; round < 5_000; round += 1) {
    const length = random.below(9)
    const value = Array.from({ length }, () => random.pick(["'", '\\', '"', 'E', 'n', '\n'])).join(
      '',
    )
    for (const standard of [true, false]) {
      assert.equal(readLiteral(literal(value), standard), value, `seed ${seed}`)
    }
  }
})

test('nothing is NULL', () => {
  assert.equal(optional(undefined), 'null')
})

for (const [name, quoted] of [
  ['lockstep', '"lockstep"'],
  ['Größe "x"', '"Größe ""x"""'],
  [`it's`, `"it's"`],
  ['a.b', '"a.b"'],
  ['a\\b', '"a\\b"'],
] as const) {
  test(`${name} is the identifier ${quoted}`, () => {
    assert.equal(identifier(name), quoted)
  })
}

for (const [value, quoted] of [
  ['lockstep/7f9b0173/pod', '$lockstep$lockstep/7f9b0173/pod$lockstep$'],
  [`"$user", 'x'`, `$lockstep$"$user", 'x'$lockstep$`],
  ['a$lockstep', '$lockstep_$a$lockstep$lockstep_$'],
  ['a$lockstep$b$lockstep_', '$lockstep__$a$lockstep$b$lockstep_$lockstep__$'],
] as const) {
  test(`${value} is ${quoted} in dollars`, () => {
    assert.equal(inDollars(value), quoted)
  })
}
