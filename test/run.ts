import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { installedMajors, startServer } from './support/server.ts'

/**
 * Runs the tests: those of `unit` once, then those of `postgres` on each major version that is
 * named, each on a server of its own. Those of `faults` are slow and run only when asked for. An
 * existing server is used instead when TEST_DATABASE_URL is set.
 *
 *   node test/run.ts [--quick] [--only GLOB] [MAJOR ...]
 *
 * Quick: what is about the client, or tries very many cases, is tried on the newest major only (and of
 * the guard as the owner only), and the scenarios on the oldest, which every pg_dump can read.
 */
const onTheNewest = [
  'bad-input',
  'catalog',
  'check-baseline',
  'connect',
  'gate',
  'guard',
  'hosts',
  'lock',
  'losses',
  'pooler',
  'publish',
  'publish-map',
  'rollout',
  'tls',
  'traces',
  'cancel',
  'cut-off',
  'pieces',
  'pieces-cut',
  'sweep',
].map((name) => `test/postgres/${name}.test.ts`)
const scenarios = ['test/postgres/scenarios.test.ts']
/** What Node has compiled of the sources and of the tests, for all processes of the tests. */
const compileCache = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled')
const args = process.argv.slice(2)
const quickAt = args.indexOf('--quick')
if (quickAt !== -1) args.splice(quickAt, 1)
const onlyAt = args.indexOf('--only')
const only = onlyAt === -1 ? undefined : args.splice(onlyAt, 2)[1]
const majors = args.length > 0 ? args.map(Number) : installedMajors()

function runTests(
  title: string,
  glob: string,
  env: Record<string, string>,
  without: readonly string[] = [],
): Promise<boolean> {
  const files = globSync(only ?? glob)
    .filter((file) => !without.includes(file))
    .toSorted()
  const left = without.length === 0 ? '' : `, without ${without.join(', ')}`
  console.log(`\n== ${title}${left}`)
  const child = spawn(
    process.execPath,
    ['--test', '--test-concurrency=3', '--test-timeout=120000', ...files],
    {
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env },
      stdio: 'inherit',
    },
  )
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code === 0))
  })
}

function leftOut(major: number): string[] {
  return [
    ...(major === majors.at(-1) ? [] : onTheNewest),
    ...(major === majors[0] ? [] : scenarios),
  ]
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
      (await runTests(
        `PostgreSQL ${major}`,
        'test/postgres/*.test.ts',
        {
          TEST_DATABASE_URL: server.url,
          TEST_POSTGRES_MAJOR: `${major}`,
          ...(quickAt === -1 ? {} : { LOCKSTEP_TEST_QUICK: '1' }),
        },
        quickAt === -1 ? [] : leftOut(major),
      )) && passed
  }
}
process.exitCode = passed ? 0 : 1
