import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/failure.ts'
import type { Event } from '../../src/events.ts'
import { migrate } from '../../src/migrate.ts'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { proxyTo, type Frame } from '../support/proxy.ts'

const every = Number(process.env['LOCKSTEP_TEST_EVERY'] ?? '12')
const never = new AbortController().signal
const count = 4

/** One run in this process, so that whatever the driver throws from a timer fails the test. */
async function run(
  url: string,
  dir: string,
  schema: string,
): Promise<{ exit: number; said: string }> {
  const config = readConfig({
    DATABASE_URL: url,
    LOCKSTEP_DIR: dir,
    LOCKSTEP_SCHEMA: `ledger_${schema}`,
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_CONNECT_WAIT: '10s',
  })
  const events: Event[] = []
  const id = randomBytes(4).toString('hex')
  const exit = await migrate(
    config,
    { id, pod: 'test', isAttended: true },
    (event) => events.push(event),
    never,
  )
    .then(() => 0)
    .catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error
      events.push({ checkpoint: 'failed', failure: error })
      return error.exit
    })
  return { exit, said: events.map((event) => JSON.stringify(event)).join('\n') }
}

/** Waits until nobody holds the lock, bounded by the server. */
async function assertLockFree(db: Database, schema: string): Promise<void> {
  await db.sql(`set lock_timeout = '10s'`)
  await db.sql(`select pg_advisory_lock(${lockKey(`ledger_${schema}`)})`)
  await db.sql(`select pg_advisory_unlock_all()`)
}

/**
 * The connection is cut once, at the nth message, whatever that is: log-in, look, lock, a file, a
 * COMMIT or its answer. Afterwards the ledger must name exactly the files whose marks are there, and
 * the run must have gone on by itself.
 *
 * @returns whether the run had so many messages
 */
async function cutAt(db: Database, from: Frame['from'], n: number): Promise<boolean> {
  const schema = `${from}_${n}`
  const files = markingFiles(schema, count)
  using folder = folderOf(files)
  let isCut = false
  await using proxy = await proxyTo(db.url, (frame) => {
    if (isCut || frame.from !== from || frame.number !== n) return 'pass'
    isCut = true
    // What a client sends may arrive in part, which no server may take for the whole.
    return from === 'client' ? 'half' : 'cut'
  })
  const { exit, said } = await run(proxy.url, folder.path, schema)
  const where = `${from} message ${n}, exit ${exit}\n${said}`
  assert.equal(exit, 0, where)
  await assertLockFree(db, schema)
  const names = await namesIn(db, `ledger_${schema}`)
  assert.deepEqual(names, await marksIn(db, schema), where)
  assert.deepEqual(names, Object.keys(files).slice(0, names.length), where)
  assert.equal(names.length, count, where)

  const again = await run(db.url, folder.path, schema)
  assert.equal(again.exit, 0, `${where}\nundisturbed:\n${again.said}`)
  assert.deepEqual(await namesIn(db, `ledger_${schema}`), Object.keys(files), where)
  assert.deepEqual(await marksIn(db, schema), Object.keys(files), where)
  await db.sql(
    `set client_min_messages = error; drop schema ${schema} cascade; drop schema ledger_${schema} cascade`,
  )
  return isCut
}

for (const [from, step, least] of [
  ['server', every, 200],
  ['client', Math.min(every, 3), 15],
] as const) {
  test(
    `a connection that is cut at a message of the ${from} never parts a file from its row (step ${step})`,
    { timeout: 400_000 },
    async () => {
      await using db = await freshDatabase()
      let n = 1
      while (await cutAt(db, from, n)) n += step
      console.log(`# cut at each of ${n - 1} messages of the ${from}, in steps of ${step}`)
      assert.ok(n > least, `the run ended after ${n} messages: its connection was not the proxy’s`)
    },
  )
}
