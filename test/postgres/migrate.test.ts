import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { runProgram } from '../support/program.ts'

test('the worked example becomes a schema, and a second run finds nothing to do', async () => {
  await using db = await freshDatabase()
  const env = { DATABASE_URL: db.url }
  const first = await runProgram({ env })
  assert.equal(first.exit, 0, first.output)
  const second = await runProgram({ env })
  assert.equal(second.exit, 0, second.output)
  assert.match(second.output, /nothing to do: 16 files/)
})
