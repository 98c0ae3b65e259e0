import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/failure.ts'
import { migrate } from '../../src/migrate.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { randomOf, testSeed } from '../support/random.ts'

const runs = Number(process.env['LOCKSTEP_TEST_CANCELS'] ?? '60')
const seed = testSeed()
const never = new AbortController().signal

const files = 6

/**
 * Each run gets a ledger and a schema of its own in one database, and a cancel of its backend (or a
 * burst of four) at a moment drawn from the seed, within the time that a run takes. Afterwards the
 * ledger must name exactly the files whose two marks are there, a prefix of the folder; and a
 * second run, which nobody disturbs, must finish the rest.
 */
test(
  `a cancel at any moment never parts a file from its row (${runs} runs, seed ${seed})`,
  { timeout: 900_000 },
  async () => {
    const random = randomOf(seed)
    await using db = await freshDatabase()
    let struck = 0
    let typicalMs = 60
    for (let round = 0; round < runs; round += 1) {
      const schema = `r${round}`
      using folder = folderOf(markingFiles(schema, files))
      const config = readConfig({
        DATABASE_URL: db.url,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_SCHEMA: `ledger_${schema}`,
        LOCKSTEP_BASELINE: 'ignore',
        // By turns, since a file then goes in two messages.
        LOCKSTEP_POOLER: round % 2 === 0 ? 'refuse' : 'allow',
        LOCKSTEP_CONNECT_WAIT: '0s',
      })
      const run = { id: randomBytes(4).toString('hex'), pod: 'test', isAttended: true }
      const cancel = `select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'lockstep/${run.id}/test'`
      const delayMs = random.fraction() * typicalMs
      const burst = random.oneIn(3) ? 4 : 1
      const begunMs = performance.now()
      const ended = new AbortController()
      const outcome = migrate(config, run, () => undefined, never)
        .catch((error: unknown) => error)
        .finally(() => ended.abort())
      // The moment is the point of the test: it waits by the clock, and polls so as to be exact.
      while (performance.now() - begunMs < delayMs && !ended.signal.aborted)
        await new Promise(setImmediate)
      for (let shot = 0; shot < burst; shot += 1) await db.superuser(cancel)
      const result = await outcome
      if (result instanceof Failure) struck += 1
      else typicalMs = typicalMs * 0.9 + (performance.now() - begunMs) * 0.1

      const recorded = await namesIn(db, `ledger_${schema}`)
      const kept = await marksIn(db, schema)
      const where = `round ${round} of seed ${seed}: ${result instanceof Failure ? result.message : 'succeeded'}`
      assert.deepEqual(recorded, kept, where)
      assert.deepEqual(
        recorded,
        Object.keys(markingFiles(schema, files)).slice(0, recorded.length),
        where,
      )
      if (!(result instanceof Failure)) assert.equal(recorded.length, files, where)

      if (recorded.length < files)
        await migrate(
          config,
          { ...run, id: randomBytes(4).toString('hex') },
          () => undefined,
          never,
        )
      assert.equal((await namesIn(db, `ledger_${schema}`)).length, files, where)
      await db.sql(
        `set client_min_messages = error; drop schema ${schema} cascade; drop schema ledger_${schema} cascade`,
      )
    }
    console.log(`# ${struck} of ${runs} runs were struck before their end`)
    assert.ok(
      struck > runs / 5,
      `only ${struck} of ${runs} runs were struck: the moments are drawn too late`,
    )
  },
)
