import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram } from '../support/program.ts'
import { proxyTo } from '../support/proxy.ts'

const files = markingFiles('s', 3)
/** Longer than a statement of the program's own may take. */
const patientMs = 60_000

/** A server that is silent in answer to this statement of the program, at its nth time. */
function silentAt(url: string, statement: string, nth = 1): ReturnType<typeof proxyTo> {
  let seen = 0
  return proxyTo(url, ({ from, body }) => {
    if (from !== 'client' || !body.includes(statement)) return 'pass'
    seen += 1
    return seen === nth ? 'freeze' : 'pass'
  })
}

// A query has no deadline by the driver, and TCP answers for a server that does not.
describe('a server that falls silent', { concurrency: true }, () => {
  for (const [what, statement, nth] of [
    ['the first look', 'pg_backend_pid()', 1],
    ['the settings', 'SET client_connection_check_interval', 1],
    ['the try for the lock', 'pg_try_advisory_lock', 1],
    ['the look under the lock', 'pg_backend_pid()', 3],
    ['the row of the run', '.run (id', 1],
  ] as const) {
    test(`at ${what} is taken for lost, and the run goes on when it is back`, async () => {
      await using db = await freshDatabase()
      using folder = folderOf(files)
      await using proxy = await silentAt(db.url, statement, nth)
      const env = {
        DATABASE_URL: `${proxy.url}&connect_timeout=2`,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_CONNECT_WAIT: '60s',
        LOCKSTEP_HEARTBEAT: '1s',
      }
      const running = startProgram({ env, form: 'bundle', withinMs: patientMs })
      await running.says('has not answered within')
      proxy.thaw()
      assertSucceeded(await running.ran, '3 files applied')
      assert.deepEqual(await marksIn(db, 's'), Object.keys(files))
    })
  }

  test('for ever ends the run by LOCKSTEP_CONNECT_WAIT, with 75', async () => {
    await using db = await freshDatabase()
    using folder = folderOf(files)
    await using proxy = await silentAt(db.url, 'pg_try_advisory_lock')
    const env = {
      // Enough for the first connection on a busy machine.
      DATABASE_URL: `${proxy.url}&connect_timeout=5`,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_CONNECT_WAIT: '2s',
    }
    const running = startProgram({ env, form: 'bundle', withinMs: patientMs })
    assertFailed(await running.ran, 75, 'DATABASE_UNREACHABLE', 'has not answered within')
  })

  test('inside a file is waited for, with a line at each heartbeat, and SIGTERM ends it', async () => {
    await using db = await freshDatabase()
    using folder = folderOf({ ...files, '0002_f.sql': `select pg_sleep(600);` })
    await using proxy = await proxyTo(db.url)
    const env = {
      DATABASE_URL: proxy.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_HEARTBEAT: '500ms',
    }
    const running = startProgram({ env, form: 'bundle', withinMs: patientMs })
    await running.says('running    0002_f.sql')
    proxy.freeze()
    await running.says('running    0002_f.sql', 6)
    const begunMs = performance.now()
    running.child.kill('SIGTERM')
    assertFailed(await running.ran, 75, 'INTERRUPTED', 'stopped by SIGTERM')
    const tookMs = performance.now() - begunMs
    assert.ok(tookMs < 5_000, `it took ${tookMs} ms`)
    assert.deepEqual(await namesIn(db, 'lockstep'), ['0001_f.sql'])
    proxy.cut()
    await db.sql(`set lock_timeout = '10s'`)
    await db.sql(`select pg_advisory_lock(${lockKey('lockstep')})`)
  })
})
