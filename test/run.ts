import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { installedMajors, startServer } from './support/server.ts'

/**
 * Runs the tests: those of `unit` once, then those of `postgres` on each major version that is
 * named, each on a server of its own. Those of `faults` are slow and run only when asked for. An
 * existing server is used instead when TEST_DATABASE_URL is set.
 *
 *   node test/run.ts [--only GLOB] [MAJOR ...]
 */
const args = process.argv.slice(2)
const onlyAt = args.indexOf('--only')
const only = onlyAt === -1 ? undefined : args.splice(onlyAt, 2)[1]
const majors = args.length > 0 ? args.map(Number) : installedMajors()

function runTests(title: string, glob: string, env: Record<string, string>): Promise<boolean> {
  const files = globSync(only ?? glob).toSorted()
  console.log(`\n== ${title}`)
  const child = spawn(
    process.execPath,
    ['--test', '--test-concurrency=2', '--test-timeout=120000', ...files],
    {
      env: { ...process.env, ...env },
      stdio: 'inherit',
    },
  )
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code === 0))
  })
}

let passed = only === undefined ? await runTests('unit', 'test/unit/*.test.ts', {}) : true
const given = process.env['TEST_DATABASE_URL']
if (given !== undefined) {
  passed =
    (await runTests('the server of TEST_DATABASE_URL', 'test/postgres/*.test.ts', {})) && passed
} else {
  for (const major of majors) {
    if (!installedMajors().includes(major)) {
      console.log(
        `\n== PostgreSQL ${major}: no package for ${process.platform} ${process.arch}, so it is not tested here`,
      )
      passed &&= process.platform !== 'linux' || process.arch !== 'x64'
      continue
    }
    await using server = await startServer(major)
    passed =
      (await runTests(`PostgreSQL ${major}`, 'test/postgres/*.test.ts', {
        TEST_DATABASE_URL: server.url,
        TEST_POSTGRES_MAJOR: `${major}`,
      })) && passed
  }
}
process.exitCode = passed ? 0 : 1
