import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { startReachable } from '../support/reachable.ts'

/** What `run.ts` starts where the cluster is: PostgreSQL on the node, and the tests beside it. */
await using server = await startReachable()
const table = join(import.meta.dirname, 'table.ts')
const tests = globSync(process.argv[2] ?? join(import.meta.dirname, '*.test.ts')).toSorted()
const child = spawn(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=240000', `--test-reporter=${table}`, ...tests],
  { env: { ...process.env, TEST_DATABASE_URL: server.url }, stdio: 'inherit' },
)
process.exitCode = await new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
