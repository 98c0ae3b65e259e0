import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { Authority } from '../test/support/certificates.ts'
import { startServer } from '../test/support/server.ts'
import { measureLexing } from './lexing.ts'
import { peakMbOf, timeOf, type Program } from './process.ts'
import { findPsql, type Psql } from './psql.ts'
import { describeMachine, median, tableOf, type Row } from './report.ts'
import { makeLargeFile, makeWorkload, type Workload } from './workload.ts'

/**
 * Measures Lockstep beside psql, as whole processes and in the same rounds: absolute times drift
 * with the machine, ratios within a round hold. Prints the figures and writes them to `results.md`.
 *
 *   make bench
 *   BENCH_NO_OP_ROUNDS=31 BENCH_FRESH_ROUNDS=15 make bench
 */
const files = 200
const noOpRounds = Number(process.env['BENCH_NO_OP_ROUNDS'] ?? 11)
const freshRounds = Number(process.env['BENCH_FRESH_ROUNDS'] ?? 7)
const watchRounds = Number(process.env['BENCH_WATCH_ROUNDS'] ?? 5)
const lexingRounds = 7
const memoryRuns = 3
const bundle = join(import.meta.dirname, '..', 'dist', 'lockstep.mjs')
const resultsFile = join(import.meta.dirname, 'results.md')

const withTls = { PGSSLMODE: 'require' }

/** What all measurements share. */
interface Bench {
  readonly workload: Workload
  readonly psql: Psql | undefined
  /** Connection string of the superuser. */
  readonly url: string
  readonly admin: (statement: string) => Promise<unknown>
  readonly stop: AbortSignal
}

async function main(stop: AbortSignal): Promise<void> {
  const psql = findPsql()
  await using server = await startServer(18, ['fsync=on'])
  const { cert, key } = await (await Authority.create('bench')).sign({ name: 'localhost' })
  server.write({ 'server.crt': cert, 'server.key': key, 'postgresql.conf': 'ssl=on\n' })
  await server.reload()
  using workload = makeWorkload(files)
  const client = postgres(server.url, { max: 1, onnotice: () => undefined })
  try {
    const [about] = await client<{ version: string }[]>`
      select current_setting('server_version') as version`
    const machine = describeMachine(about?.version ?? '', psql)
    const bench: Bench = {
      workload,
      psql: typeof psql === 'string' ? undefined : psql,
      url: server.url,
      admin: (statement) => client.unsafe(statement),
      stop,
    }
    const table = tableOf([
      ...(await measureNoOp(bench)),
      await measureFresh(bench),
      await measureWatch(bench),
    ])
    const lexing = `Cutting SQL into statements: ${median(measureLexing(lexingRounds)).toFixed(0)} MB/s (goal: >= 25), median of ${lexingRounds}, for 20 MB of inserts.`
    console.log(`${machine.join('\n')}\n\n${table}\n\n${lexing}`)
    writeFileSync(resultsFile, resultsOf(machine, table, lexing))
  } finally {
    await client.end({ timeout: 1 })
  }
}

/** Every file is applied already; a bare Node in the same rounds tells what Node itself takes. */
async function measureNoOp(bench: Bench): Promise<Row[]> {
  const { admin, stop, psql } = bench
  await admin('create database bench_lockstep')
  await admin('create database bench_psql')
  await timeOf(lockstep(bench, 'bench_lockstep', '"outcome":"applied"'), stop)
  if (psql) await timeOf(psqlWith(bench, psql, 'bench_psql', bench.workload.freshScript), stop)

  const ours = lockstep(bench, 'bench_lockstep', '"outcome":"nothing-to-do"')
  const node: Program = { command: process.execPath, args: ['-e', '0'], env: {}, says: '' }
  const theirs = psql && psqlWith(bench, psql, 'bench_psql', bench.workload.noOpScript)
  const encrypted = { ...ours, env: { ...ours.env, ...withTls } }
  const [oursMs = [], tlsMs = [], nodeMs = [], psqlMs] = await interleaved(
    noOpRounds,
    [ours, encrypted, node, ...(theirs ? [theirs] : [])].map(
      (program) => () => timeOf(program, stop),
    ),
  )
  const peakOf = (program: Program): Promise<number> => highest(() => peakMbOf(program, stop))
  const goals = { ratioGoal: 3.2, peakGoalMb: 60 }
  return [
    { workload: 'nothing to do', oursMs, besideMs: psqlMs, peakMb: await peakOf(ours), ...goals },
    { workload: 'bare `node -e 0`', oursMs: nodeMs, besideMs: psqlMs, peakMb: await peakOf(node) },
    {
      workload: 'nothing to do, with TLS',
      oursMs: tlsMs,
      beside: 'without TLS',
      besideMs: oursMs,
      ratioGoal: 1.25,
      peakMb: await peakOf(encrypted),
    },
  ]
}

/** An empty database for each run, made and dropped outside of the timed part. */
async function measureFresh(bench: Bench): Promise<Row> {
  const { admin, stop, psql } = bench
  const database = 'bench_fresh'
  const onEmpty = async (action: () => Promise<number>): Promise<number> => {
    await admin(`create database ${database}`)
    const measured = await action()
    // It begins a checkpoint, so that every run starts with nothing left to write.
    await admin(`drop database ${database} with (force)`)
    return measured
  }
  const ours = lockstep(bench, database, `"outcome":"applied","applied":${files}`)
  const theirs = psql && psqlWith(bench, psql, database, bench.workload.freshScript)
  const [oursMs = [], psqlMs] = await interleaved(
    freshRounds,
    [ours, ...(theirs ? [theirs] : [])].map(
      (program) => () => onEmpty(() => timeOf(program, stop)),
    ),
  )
  const peakMb = await highest(() => onEmpty(() => peakMbOf(ours, stop)))
  return { workload: 'fresh', oursMs, besideMs: psqlMs, peakMb, ratioGoal: 1 }
}

/** One large file, watched and not: what the second connection and the heartbeats cost. */
async function measureWatch(bench: Bench): Promise<Row> {
  const { admin, stop } = bench
  using workload = makeLargeFile()
  const database = 'bench_watch'
  const asIn = (env: Readonly<Record<string, string>>): Program => {
    const program = lockstep({ ...bench, workload }, database, '"outcome":"applied"')
    return { ...program, env: { ...program.env, ...env } }
  }
  const onEmpty = async (program: Program): Promise<number> => {
    await admin(`create database ${database}`)
    const tookMs = await timeOf(program, stop)
    await admin(`drop database ${database} with (force)`)
    return tookMs
  }
  const watched = asIn({ LOCKSTEP_HEARTBEAT: '1s' })
  const alone = asIn({ LOCKSTEP_HEARTBEAT: '1h', LOCKSTEP_LOCK_TIMEOUT: '0' })
  const [oursMs = [], besideMs] = await interleaved(
    watchRounds,
    [watched, alone].map((program) => () => onEmpty(program)),
  )
  const beside = 'not watched'
  return { workload: '100 MB file, a line a second', oursMs, beside, besideMs, ratioGoal: 1.02 }
}

/** One round of all to warm up, then the rounds that count; for each the figures of its rounds. */
async function interleaved(
  rounds: number,
  measures: readonly (() => Promise<number>)[],
): Promise<number[][]> {
  const figures: number[][] = measures.map(() => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, measure] of measures.entries()) {
      const figure = await measure()
      if (round > 0) figures[index]?.push(figure)
    }
  }
  return figures
}

async function highest(measure: () => Promise<number>): Promise<number> {
  const [figures = []] = await interleaved(memoryRuns, [measure])
  return Math.max(...figures)
}

function lockstep(
  { url, workload }: { readonly url: string; readonly workload: { readonly dir: string } },
  database: string,
  says: string,
): Program {
  return {
    command: process.execPath,
    args: [bundle],
    env: {
      DATABASE_URL: new URL(database, url).href,
      LOCKSTEP_DIR: workload.dir,
      LOCKSTEP_LOG_FORMAT: 'json',
      PGSSLMODE: 'disable',
    },
    says,
  }
}

function psqlWith({ url }: Bench, psql: Psql, database: string, script: string): Program {
  const { hostname, port, username, password } = new URL(url)
  return {
    command: psql.path,
    args: ['-X', '-q', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', '-f', script],
    env: {
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: username,
      PGPASSWORD: password,
      PGDATABASE: database,
      PGSSLMODE: 'disable',
    },
    says: '',
  }
}

function resultsOf(machine: readonly string[], table: string, lexing: string): string {
  return `# Results

Written by \`make bench\`; do not edit.

${machine.map((line) => `- ${line}`).join('\n')}

${files} files of about 1 kB in groups of four: a table with comments; columns and checks; two indexes, one
partial; a foreign key. Times are medians of whole processes, from start to exit, after one round that
does not count; the ratio is the median over the rounds of lockstep / what it stands beside in the same round.

${table}

${lexing}

- nothing to do: psql connects and reads names and checksums of ${files} history rows. Lockstep does so too,
  and compares them with the files.
- fresh: psql reads one script, with \`begin\`, the file, its history row and \`commit\` for each file, and
  goes on without a question; Lockstep locks, plans, fences, records and verifies.
- with TLS: \`sslmode=require\`, a certificate of an elliptic curve.
- 100 MB file: 500,000 inserts in one file, with a look from the second connection each half second and a
  line each second, beside the same without any.
- Peak memory is that of the Lockstep process (VmHWM; elsewhere than on Linux ru_maxrss), the highest of
  ${memoryRuns} runs of their own.

To repeat: \`make bench\`; with more rounds \`BENCH_NO_OP_ROUNDS=31 BENCH_FRESH_ROUNDS=15 BENCH_WATCH_ROUNDS=9 make bench\`.
`
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)))
}
try {
  await main(stopping.signal)
} catch (error) {
  console.error(stopping.signal.aborted ? String(stopping.signal.reason) : error)
  process.exitCode = 1
}
