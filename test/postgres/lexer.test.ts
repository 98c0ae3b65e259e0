import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitStatements, tokensOf } from '../../src/files/statements.ts'
import { freshDatabase } from '../support/database.ts'

// What libpg-query, the oracle of the unit tests, reads otherwise than PostgreSQL does.
for (const [what, literal, value] of [
  ['a comment in the line of the quote', "'a' -- c'\n 'b'", 'ab'],
  ['a comment in a line of its own', "'a'\n-- c'\n 'b'", 'ab'],
  ['comments and carriage returns', "'a' \r--'\r--\r'b'", 'ab'],
  ['escapes go on', "E'a' -- c\n '\\'b'", "a'b"],
  ['quoted twice', "'a''' -- c\n'''b'", "a''b"],
] as const) {
  test(`a string goes on behind a line end: ${what}`, async () => {
    await using db = await freshDatabase()
    const text = `select ${literal} as value`
    assert.deepEqual(await db.sql(text), [{ value }])
    const [statement] = splitStatements(text).statements
    assert.ok(statement)
    const tokens = tokensOf(text, statement).map(({ text: token }) => token)
    assert.deepEqual(tokens, ['SELECT', literal, 'AS', 'VALUE'])
  })
}
