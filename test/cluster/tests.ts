import { globSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { startReachable } from '../support/reachable.ts'
import { table } from './table.ts'

/**
 * What `run.ts` starts where the cluster is: PostgreSQL on the node, and the tests beside it. Those in
 * `alone` measure time or take the API server away, so they come last, one after another.
 *
 *   node test/cluster/tests.ts [GLOB]
 */
await using server = await startReachable()
process.env['TEST_DATABASE_URL'] = server.url

async function* events() {
  const all = globSync(process.argv[2] ?? join(import.meta.dirname, '{*,alone/*}.test.ts'))
  const alone = all.filter((file) => file.includes('alone'))
  const together = all.filter((file) => !alone.includes(file))
  const timeout = 240_000
  yield* run({ files: together, concurrency: 2, timeout })
  yield* run({ files: alone, concurrency: 1, timeout })
}
const { text, isGreen } = await table(events(), (progress) => process.stdout.write(progress))
console.log(text)
process.exitCode = isGreen ? 0 : 1
