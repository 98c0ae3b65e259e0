import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { fillers } from '../support/large-text.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { proxyTo } from '../support/proxy.ts'
import { randomOf, testSeed } from '../support/random.ts'
import { runHere, startHere } from '../support/here.ts'

const every = Number(process.env['LOCKSTEP_TEST_EVERY'] ?? '24')
const cancels = Number(process.env['LOCKSTEP_TEST_CANCELS'] ?? '20')
const seed = testSeed()

/** Three files; the second is large, with its first mark in the first piece and its second in the last. */
function filesIn(schema: string): Record<string, string> {
  const files = markingFiles(schema, 3)
  const [first = '', second = ''] = (files['0002_f.sql'] ?? '').split(' insert')
  return { ...files, '0002_f.sql': `${first}\n${fillers(12)}insert${second}` }
}

/** Nothing may be there but whole files, with their rows, in order; a run that nobody disturbs does the rest. */
async function assertWhole(
  db: Database,
  schema: string,
  env: Readonly<Record<string, string>>,
  where: string,
): Promise<void> {
  await db.sql(`set lock_timeout = '10s'`)
  await db.sql(`select pg_advisory_lock(${lockKey(`ledger_${schema}`)})`)
  await db.sql(`select pg_advisory_unlock_all()`)
  const all = Object.keys(filesIn(schema))
  const names = await namesIn(db, `ledger_${schema}`)
  assert.deepEqual(names, await marksIn(db, schema), where)
  assert.deepEqual(names, all.slice(0, names.length), where)
  const again = await runHere({ ...env, DATABASE_URL: db.url })
  assert.equal(again.failure, undefined, `${where}\nundisturbed:\n${again.said}`)
  assert.deepEqual(await marksIn(db, schema), all, where)
  await db.sql(
    `set client_min_messages = error; drop schema ${schema} cascade; drop schema ledger_${schema} cascade`,
  )
}

for (const [from, step, least] of [
  ['client', Math.min(every, 3), 20],
  ['server', every, 100],
] as const) {
  test(
    `a connection that is cut at a message of the ${from} never parts a large file from its row (step ${step})`,
    { timeout: 400_000 },
    async () => {
      await using db = await freshDatabase()
      let n = 1
      for (let isCut = true; isCut; n += step) {
        isCut = false
        const schema = `${from}_${n}`
        using folder = folderOf(filesIn(schema))
        const env = {
          LOCKSTEP_DIR: folder.path,
          LOCKSTEP_SCHEMA: `ledger_${schema}`,
          LOCKSTEP_BASELINE: 'ignore',
          LOCKSTEP_CONNECT_WAIT: '10s',
        }
        await using proxy = await proxyTo(db.url, (frame) => {
          if (isCut || frame.from !== from || frame.number !== n) return 'pass'
          isCut = true
          return from === 'client' ? 'half' : 'cut'
        })
        const { failure, said } = await runHere({ ...env, DATABASE_URL: proxy.url })
        assert.equal(failure, undefined, `message ${n}\n${said}`)
        await assertWhole(db, schema, env, `message ${n}\n${said}`)
      }
      console.log(`# cut at each of ${n - 1} messages of the ${from}, in steps of ${step}`)
      assert.ok(n > least, `the run ended after ${n} messages`)
    },
  )
}

test(
  `a cancel, or an end of the backend, at any moment never parts a large file from its row (${cancels} runs, seed ${seed})`,
  { timeout: 900_000 },
  async () => {
    const random = randomOf(seed)
    await using db = await freshDatabase()
    let struck = 0
    let typicalMs = 300
    for (let round = 0; round < cancels; round += 1) {
      const schema = `r${round}`
      using folder = folderOf(filesIn(schema))
      const env = {
        DATABASE_URL: db.url,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_SCHEMA: `ledger_${schema}`,
        LOCKSTEP_POOLER: round % 2 === 0 ? 'refuse' : 'allow',
        LOCKSTEP_BASELINE: 'ignore',
        LOCKSTEP_CONNECT_WAIT: '1s',
      }
      const how = random.oneIn(4) ? 'pg_terminate_backend' : 'pg_cancel_backend'
      // From the moment on at which the large file has been sent, or is about to be.
      const delayMs = random.fraction() * typicalMs
      const ended = new AbortController()
      let begunMs = Number.POSITIVE_INFINITY
      const { id, ended: ending } = startHere(env, ({ checkpoint }) => {
        if (checkpoint === 'plan') begunMs = performance.now()
      })
      const strike = `select ${how}(pid) from pg_stat_activity where application_name = 'lockstep/${id}/test'`
      const outcome = ending.finally(() => ended.abort())
      // The moment is the point of the test: it waits by the clock, and polls so as to be exact.
      while (!(performance.now() - begunMs >= delayMs) && !ended.signal.aborted)
        await new Promise(setImmediate)
      await db.superuser(strike)
      const { failure, said } = await outcome
      if (failure !== undefined || /^lost /m.test(said)) struck += 1
      else typicalMs = typicalMs * 0.8 + (performance.now() - begunMs) * 0.2
      await assertWhole(db, schema, env, `round ${round} of seed ${seed}, ${how}: ${said}`)
    }
    console.log(`# ${struck} of ${cancels} runs were struck before their end`)
    assert.ok(struck > cancels / 5, `only ${struck} of ${cancels} runs were struck`)
  },
)
