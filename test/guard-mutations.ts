import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mutations, type Mutation } from './support/guard-mutations.ts'
import { startServer, type Server } from './support/server.ts'

/**
 * Takes each condition of the guard out in turn, in a copy of the sources, and runs the tests that
 * should notice it: `make test-mutations`. A condition whose absence nothing notices is needless, or has no
 * test.
 *
 *   node test/guard-mutations.ts [WORDS OF A CONDITION]
 */
const asked = process.argv[2] ?? ''
const workers = 2
/** A mutant may wait for ever. */
const withinMs = 90_000
const oldest = 14
const newest = 18

/** What runs is broken, rather than a guard without a condition. */
const broken =
  /syntax error|\((?:42601|42703|42883|42804|42P02)\)|ReferenceError|SyntaxError|Cannot find module/

await using old = await startServer(oldest)
await using recent = await startServer(newest)
const left = mutations.filter(({ without }) => without.includes(asked))
for (const each of left) mutated(readFileSync(each.file, 'utf8'), each)
const total = left.length
const failed: string[] = []
const begunMs = performance.now()

await whole()
await Promise.all(Array.from({ length: workers }, work))
const seconds = ((performance.now() - begunMs) / 1000).toFixed(0)
console.log(
  `\n${total - failed.length} of ${total} conditions are missed where they are taken out, in ${seconds} s`,
)
if (failed.length > 0) {
  console.log(`not: ${failed.join('; ')}`)
  process.exitCode = 1
}

/** With all conditions in their places nothing fails. */
async function whole(): Promise<void> {
  using copy = copyOfTree()
  for (const major of [oldest, newest] as const) {
    const own = left.filter((one) => (one.major ?? newest) === major)
    for (const test of new Set(own.map((one) => one.test))) {
      const noticedBy = own
        .filter((one) => one.test === test)
        .map((one) => one.noticedBy)
        .join('|')
      const asSuperuser = own.some((one) => one.asSuperuser)
      const ran = await runTests(copy.path, { test, noticedBy, major, asSuperuser })
      if (ran.failing.length > 0 || ran.passing === 0)
        throw new Error(`with nothing taken out: ${ran.failing.join(', ') || 'nothing ran'}`)
    }
  }
}

async function work(): Promise<void> {
  using copy = copyOfTree()
  for (let mutation = left.shift(); mutation !== undefined; mutation = left.shift()) {
    const path = join(copy.path, mutation.file)
    const source = readFileSync(mutation.file, 'utf8')
    writeFileSync(path, mutated(source, mutation))
    const { failing, output, isOver } = await runTests(copy.path, mutation)
    writeFileSync(path, source)
    const isBroken = mutation.fails !== true && broken.test(output)
    const [first] = failing
    const isNoticed = first !== undefined && !isBroken
    if (!isNoticed) failed.push(mutation.without)
    const told = isBroken
      ? `breaks it: ${broken.exec(output)?.[0]}`
      : (first ?? (isOver ? 'takes too long' : 'no test fails'))
    console.log(`${isNoticed ? 'noticed' : 'UNSEEN '}  without ${mutation.without}: ${told}`)
  }
}

function mutated(source: string, { take, put = '', file, without }: Mutation): string {
  if (source.split(take).length !== 2)
    throw new Error(`${without}: “${take}” does not stand once in ${file}`)
  return source.replace(take, () => put)
}

interface Ran {
  /** Names of tests; none of what they are parts of. */
  readonly failing: readonly string[]
  readonly passing: number
  readonly output: string
  readonly isOver: boolean
}

type Selection = Pick<Mutation, 'test' | 'noticedBy' | 'major' | 'asSuperuser'>

/** A few tests, in a process of their own. */
async function runTests(
  cwd: string,
  { test, noticedBy, major = newest, asSuperuser }: Selection,
): Promise<Ran> {
  const server: Server = major === oldest ? old : recent
  const isTable = test === 'guard'
  const child = spawn(
    process.execPath,
    [
      '--test',
      '--test-reporter=tap',
      '--test-timeout=60000',
      ...(isTable ? [] : [`--test-name-pattern=${noticedBy}`]),
      `test/${test === 'verdict' ? 'unit' : 'postgres'}/${test}.test.ts`,
    ],
    {
      cwd,
      env: {
        ...process.env,
        TEST_DATABASE_URL: server.url,
        TEST_POSTGRES_MAJOR: `${major}`,
        TEST_MUTANTS: noticedBy,
        ...(asSuperuser === true ? {} : { LOCKSTEP_TEST_QUICK: '1' }),
        NODE_COMPILE_CACHE: join(cwd, 'compiled'),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
    child.kill('SIGKILL')
  }, withinMs)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  const named = (pattern: RegExp): string[] =>
    [...output.matchAll(pattern)]
      .map(([, name = '']) => name)
      .filter((name) => !/, as (owner|superuser)$|^docs\/guard\.md|\.test\.ts$/.test(name))
  return {
    failing: named(/^ *not ok \d+ - (.+)$/gm),
    passing: named(/^ *ok \d+ - (?!.*# SKIP)(.+)$/gm).length,
    output,
    isOver,
  }
}

function copyOfTree(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-mutations-'))
  for (const name of ['src', 'test', 'docs', 'sql', 'package.json', 'tsconfig.json'])
    cpSync(name, join(path, name), {
      recursive: true,
      filter: (from) => !from.includes('node_modules'),
    })
  symlinkSync(join(process.cwd(), 'node_modules'), join(path, 'node_modules'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
