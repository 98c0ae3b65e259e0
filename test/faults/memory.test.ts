import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeLargeFile } from '../../bench/workload.ts'
import { freshDatabase } from '../support/database.ts'
import { BackendMemory, canMeasure, peakMbOf } from '../support/memory.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram } from '../support/program.ts'
import { folderOf } from '../support/folder.ts'

const skip = canMeasure ? false : 'private memory can be told on Linux only'
const statementMb = 2 ** 20

test(
  'a file of 100 MB takes at most 120 MB here and 10 MB of the backend',
  { skip, timeout: 200_000 },
  async () => {
    await using db = await freshDatabase()
    using folder = makeLargeFile()
    using backend = new BackendMemory(db.name)
    const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.dir }
    const { child, ran } = startProgram({ env, form: 'bundle', withinMs: 190_000 })
    let peakMb = 0
    const timer = setInterval(() => {
      peakMb = Math.max(peakMb, peakMbOf(child.pid ?? 0))
    }, 20)
    assertSucceeded(await ran, '1 file applied')
    clearInterval(timer)
    console.log(`# ${peakMb.toFixed(0)} MB here, ${backend.peakMb.toFixed(1)} MB of the backend`)
    assert.ok(peakMb > 20 && peakMb <= 120, `${peakMb} MB`)
    assert.ok(backend.peakMb > 0.5 && backend.peakMb <= 10, `${backend.peakMb} MB`)
    const [row] = await db.sql('select count(*)::int as rows, max(id)::int as last from events')
    assert.deepEqual(row, { rows: 500_000, last: 499_999 })
  },
)

test('a statement may have 256 MiB and no more', { timeout: 200_000 }, async () => {
  await using db = await freshDatabase()
  const head = `create table t (n int);\n  insert into t values (length('`
  const statement = (bytes: number): Buffer =>
    Buffer.concat([Buffer.from(head), Buffer.alloc(bytes - 31, 'x'), Buffer.from(`'));select 1;`)])
  using folder = folderOf({ '0001_a.sql': statement(257 * statementMb) })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const refused = startProgram({ env, form: 'bundle', withinMs: 90_000 })
  assertFailed(await refused.ran, 1, 'FILE_CONTENT_INVALID', '0001_a.sql:2:3 a statement of more')
  folder.write({ '0001_a.sql': statement(255 * statementMb) })
  const taken = startProgram({ env, form: 'bundle', withinMs: 90_000 })
  assertSucceeded(await taken.ran, '1 file applied')
  assert.deepEqual(await db.sql('select n from t'), [{ n: 255 * statementMb - 31 }])
})
