import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServerError } from '../../src/postgres/server-error.ts'

const canary = 's3cret'

function said(sqlState: string, primary: string): string {
  return new ServerError(sqlState, primary, undefined, undefined).said
}

// Messages as PostgreSQL words them; in class 22 what is quoted is a value of a row.
for (const [sqlState, primary, shown] of [
  ['42P01', 'relation "leads" does not exist', 'relation "leads" does not exist'],
  [
    '23505',
    'duplicate key value violates unique constraint "x"',
    'duplicate key value violates unique constraint "x"',
  ],
  ['22012', 'division by zero', 'division by zero'],
  [
    '22P05',
    'character with byte sequence 0xe6 in encoding "UTF8" has no equivalent in encoding "LATIN1"',
    'character with byte sequence 0xe6 in encoding "UTF8" has no equivalent in encoding "LATIN1"',
  ],
  [
    '22P02',
    `invalid input syntax for type integer: "${canary}"`,
    'invalid input syntax for type integer: "…"',
  ],
  [
    '22003',
    `value "${canary}" is out of range for type integer`,
    'value "…" is out of range for type integer',
  ],
  [
    '22P02',
    `invalid input syntax for type integer: "${canary}\n${canary}"`,
    'invalid input syntax for type integer: "…"',
  ],
  [
    '22P02',
    'invalid input syntax for type integer: ""',
    'invalid input syntax for type integer: "…"',
  ],
  ['42601', 'syntax error at or near "selekt"', 'syntax error at or near "selekt"'],
  ['42601', 'syntax error at or near ")"', 'syntax error at or near ")"'],
  ['42601', 'syntax error at end of input', 'syntax error at end of input'],
  ['42601', `syntax error at or near "'${canary}'"`, 'syntax error at or near "…"'],
  [
    '42601',
    `unterminated quoted string at or near "'${canary}\n, 'more'"`,
    'unterminated quoted string at or near "…"',
  ],
] as const) {
  test(`${JSON.stringify(primary)} is told as ${JSON.stringify(shown)}`, () => {
    assert.equal(said(sqlState, primary), `${shown} (${sqlState})`)
  })
}

// The same in other words: what people and servers write around a value.
for (const [what, sqlState, primary] of [
  [
    'a value with quotes in it',
    '22P02',
    `invalid input syntax for type integer: "{"a": "${canary}"}"`,
  ],
  ['a value with one quote in it', '22P02', `invalid input syntax for type integer: "x"${canary}"`],
  ['two values', '22007', `invalid value "${canary}" for "${canary}"`],
  ['German', '22P02', `ungültige Eingabesyntax für Typ integer: »${canary}«`],
  ['French', '22P02', `syntaxe en entrée invalide pour le type integer : « ${canary} »`],
  ['Polish', '22P02', `nieprawidłowa składnia wejścia dla typu integer: „${canary}”`],
  ['Japanese', '22P02', `"integer"型の入力構文が不正です: "${canary}"`],
  ['Spanish', '22P02', `la sintaxis de entrada no es válida para tipo integer: «${canary}»`],
  [
    'German, an open quote',
    '42601',
    `Zeichenkette in Anführungszeichen nicht abgeschlossen bei »'${canary}«`,
  ],
  [
    'Japanese, an open quote',
    '42601',
    `"'${canary}"またはその近辺で文字列の引用符が閉じていません`,
  ],
] as const) {
  test(`no value is told: ${what}`, () => {
    assert.doesNotMatch(said(sqlState, primary), new RegExp(canary))
  })
}

for (const [sqlState, code] of [
  ['42501', 'PRIVILEGE_MISSING'],
  ['55P03', 'LOCK_TIMEOUT'],
  ['40P01', 'LOCK_TIMEOUT'],
  ['40001', 'LOCK_TIMEOUT'],
  ['57014', 'INTERRUPTED'],
  ['57P01', 'CONNECTION_LOST'],
  ['53300', 'CONNECTION_LOST'],
  ['58030', 'CONNECTION_LOST'],
  ['42601', 'DEFECT'],
  ['XX000', 'DEFECT'],
] as const) {
  test(`${sqlState} in a statement of our own is ${code}`, () => {
    const error = new ServerError(sqlState, 'it went wrong', 7, 'lockstep.ledger')
    assert.equal(error.code, code)
    assert.deepEqual([error.position, error.table], [7, 'lockstep.ledger'])
  })
}

// Under whatever code PL/pgSQL raises it: the text may hold anything.
for (const [sqlState, routine, isShown] of [
  ['P0001', 'exec_stmt_raise', false],
  ['23514', 'exec_stmt_raise', false],
  ['P0004', 'exec_stmt_assert', false],
  ['LS001', 'exec_stmt_raise', true],
  ['23514', 'ExecConstraints', true],
  ['23514', undefined, true],
] as const) {
  test(`what ${routine} says with ${sqlState} is ${isShown ? '' : 'not '}told`, () => {
    const error = new ServerError(sqlState, `a phone: ${canary}`, undefined, undefined, { routine })
    assert.equal(error.said.includes(canary), isShown)
  })
}
