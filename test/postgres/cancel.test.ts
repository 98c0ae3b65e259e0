import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/errors.ts'
import { migrate } from '../../src/migrate.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { randomOf, testSeed } from '../support/random.ts'

const runs = Number(process.env['LOCKSTEP_TEST_CANCELS'] ?? '60')
const seed = testSeed()
const never = new AbortController().signal

const files = 6

/** Files that leave two marks each, a table and a row, so that half a file would show. */
function filesOf(schema: string): Record<string, string> {
  const numbers = Array.from({ length: files }, (_, index) => index + 1)
  return Object.fromEntries(
    numbers.map((n) => {
      const first =
        n === 1 ? `create schema ${schema}; create table ${schema}.journal (file int);` : ''
      return [
        `000${n}_f.sql`,
        `${first} create table ${schema}.t${n} (id int); insert into ${schema}.journal values (${n});`,
      ]
    }),
  )
}

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
      using folder = folderOf(filesOf(schema))
      const config = readConfig({
        DATABASE_URL: db.url,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_SCHEMA: `ledger_${schema}`,
        LOCKSTEP_BASELINE: 'ignore',
        // By turns, since a file then goes in two messages.
        LOCKSTEP_POOLER: round % 2 === 0 ? 'refuse' : 'allow',
        LOCKSTEP_CONNECT_WAIT: '0s',
      })
      const run = { id: randomBytes(4).toString('hex'), pod: 'test' }
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

      const recorded = await namesIn(`ledger_${schema}`)
      const kept = await marksIn(schema)
      const where = `round ${round} of seed ${seed}: ${result instanceof Failure ? result.message : 'succeeded'}`
      assert.deepEqual(recorded, kept, where)
      assert.deepEqual(recorded, Object.keys(filesOf(schema)).slice(0, recorded.length), where)
      if (!(result instanceof Failure)) assert.equal(recorded.length, files, where)

      if (recorded.length < files)
        await migrate(
          config,
          { ...run, id: randomBytes(4).toString('hex') },
          () => undefined,
          never,
        )
      assert.equal((await namesIn(`ledger_${schema}`)).length, files, where)
      await db.sql(
        `set client_min_messages = error; drop schema ${schema} cascade; drop schema ledger_${schema} cascade`,
      )
    }
    console.log(`# ${struck} of ${runs} runs were struck before their end`)
    assert.ok(
      struck > runs / 5,
      `only ${struck} of ${runs} runs were struck: the moments are drawn too late`,
    )

    async function namesIn(schema: string): Promise<string[]> {
      const [ledger] = await db.sql<{ there: boolean }>(
        `select to_regclass('${schema}.ledger') is not null as there`,
      )
      if (ledger?.there !== true) return []
      const rows = await db.sql<{ name: string; finished: boolean }>(
        `select name, finished is not null as finished from ${schema}.ledger order by id`,
      )
      assert.ok(
        rows.every(({ finished }) => finished),
        `an unfinished row in ${schema}`,
      )
      return rows.map(({ name }) => name)
    }

    async function marksIn(schema: string): Promise<string[]> {
      const tables = await db.sql<{ name: string }>(
        `select tablename as name from pg_tables where schemaname = '${schema}' and tablename <> 'journal' order by 1`,
      )
      const journal =
        tables.length === 0
          ? []
          : await db.sql<{ file: number }>(`select file from ${schema}.journal order by file`)
      assert.deepEqual(
        tables.map(({ name }) => Number(name.slice(1))),
        journal.map(({ file }) => file),
        `half a file in ${schema}`,
      )
      return journal.map(({ file }) => `000${file}_f.sql`)
    }
  },
)
