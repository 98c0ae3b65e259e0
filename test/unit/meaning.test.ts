import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hash } from 'node:crypto'
import { meaningOf } from '../../src/files/meaning.ts'
import { splitStatements, tokensOf } from '../../src/files/statements.ts'
import { randomOf, testSeed } from '../support/random.ts'
import { damaged, statements as someStatements } from '../support/sql-strings.ts'

// Golden values: ledgers hold them, so they may never change.
for (const [text, file, statements] of [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', []],
  [
    'create table a (id int);',
    'd3fcb69ca934b689aa0fd1eedaf5922e414aec1acc9a97ee2e43fc141841d9c0',
    ['1b6c63e15a34734f4f8cffa93edb70fb271938fd4505ae43e8e5a218c3bb1db4'],
  ],
  [
    "SELECT 'é' -- c\n; do $x$ begin end $x$",
    '7164aaea68a6a5f7f8f82a516fccd170bf71ccf0eaf751312c354a6b89381a2f',
    [
      '066fb5942abee97f7056082241badbb0f880a901045f0171813e18b9b6108266',
      'fbc19e1203704fff4907fe6c5e14b377ed53d569a36872c5e62d4dd80da8692c',
    ],
  ],
] as const) {
  test(`a meaning is the same for ever: ${text.slice(0, 30)}`, () => {
    assert.deepEqual(meaningOf(text), { file, statements })
  })
}

const written = `CREATE TABLE t (a int DEFAULT -1);\ninsert into t values (1), (E'x\\'\ny');`
for (const [what, other] of [
  [
    'comments',
    `/* a */ create table t (a int default -1); -- b\n insert into t values (1), (E'x\\'\ny')`,
  ],
  [
    'white space',
    `\tCREATE  TABLE\n\nt(a int DEFAULT - 1);;insert into t values(1),(E'x\\'\ny');\n`,
  ],
  ['line ends', written.replaceAll('\n', '\r\n')],
  [
    'the case of words',
    written.replace('CREATE TABLE', 'create Table').replace('insert', 'INSERT'),
  ],
] as const) {
  test(`a meaning does not depend on ${what}`, () => {
    assert.deepEqual(meaningOf(other), meaningOf(written))
  })
}

for (const [what, other] of [
  ['the case of a text', written.replace("E'x", "E'X")],
  ['a number', written.replace('-1', '-2')],
  ['the order of statements', written.split(';').toReversed().join(';')],
  ['a statement more', `${written}select 1`],
  ['where a token ends', written.replace('DEFAULT', 'DE FAULT')],
] as const) {
  test(`a meaning depends on ${what}`, () => {
    assert.notEqual(meaningOf(other).file, meaningOf(written).file)
  })
}

test('short statements and long ones, plain ones and others have their meaning by the same rule', () => {
  const random = randomOf(testSeed())
  const texts = Array.from({ length: 2_000 }, () => damaged(someStatements(random), random))
  const long = 'x'.repeat(3_000)
  for (const text of [...texts, `select '${long}'`, `select '${'y'.repeat(50)}é', "${long}"`]) {
    const byRule = splitStatements(text).statements.map((statement) => {
      const tokens = tokensOf(text, statement).map((token) =>
        token.kind === 'word' ? token.text : token.text.replace(/\r\n?/g, '\n'),
      )
      return hash('sha256', tokens.map((token) => `\0${token}`).join(''))
    })
    assert.deepEqual(meaningOf(text).statements, byRule, JSON.stringify(text))
  }
})
