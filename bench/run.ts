import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { Authority } from '../test/support/certificates.ts'
import { startServer } from '../test/support/server.ts'
import { memoryRuns, type Bench } from './bench.ts'
import { measureCluster } from './cluster.ts'
import { guardedLines, measureGuarded } from './guarded.ts'
import { measureLexing } from './lexing.ts'
import { findPsql } from './psql.ts'
import { describeMachine, median, tableOf, type Row } from './report.ts'
import { measureFresh, measureLarge, measureNoOp, measureWatch } from './runs.ts'
import { makeWorkload } from './workload.ts'

/**
 * Measures Lockstep beside psql, as whole processes and in the same rounds: absolute times drift
 * with the machine, ratios within a round hold. Prints the figures and writes them to `results.md`.
 *
 *   make bench
 *   BENCH_NO_OP_ROUNDS=31 BENCH_FRESH_ROUNDS=15 make bench
 *   node bench/run.ts fresh        (one of them; printed only)
 */
const files = 200
const lexingRounds = 7
const resultsFile = join(import.meta.dirname, 'results.md')

/** What `node bench/run.ts fresh large` takes one by one. */
const measures: Readonly<Record<string, (bench: Bench) => Promise<Row[]>>> = {
  'nothing-to-do': measureNoOp,
  fresh: measureFresh,
  large: measureLarge,
  watch: measureWatch,
  cluster: measureCluster,
  guarded: measureGuarded,
}

async function main(names: readonly string[], stop: AbortSignal): Promise<void> {
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
    const rows: Row[] = []
    for (const [name, measure] of Object.entries(measures)) {
      if (names.length === 0 || names.includes(name)) rows.push(...(await measure(bench)))
    }
    const table = tableOf(rows)
    const guard = guardedLines(rows).join('\n')
    console.log(`${machine.join('\n')}\n\n${table}\n\n${guard}`)
    if (names.length > 0) return
    const lexing = `Cutting SQL into statements: ${median(measureLexing(lexingRounds)).toFixed(0)} MB/s (goal: >= 25), median of ${lexingRounds}, for 20 MB of inserts.`
    console.log(`\n${lexing}`)
    writeFileSync(resultsFile, resultsOf(machine, table, `${lexing}\n\n${guard}`))
  } finally {
    await client.end({ timeout: 1 })
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
- 100 MB file: 500,000 inserts in one file, beside \`psql -1 -f\`, which sends each statement by itself; of the
  backend what it has for itself (RssAnon), without shared buffers.
- the server alone: the same text in one transaction, in pieces that lie ready in memory. Nobody who sends these
  statements can be quicker, so a goal below this ratio cannot be met
  ([decision 9](../docs/decisions/0009-large-files-in-pieces.md)).
- a line a second: the same with a look from the second connection each half second and a line each second,
  beside the same without any.
- with a status: a ConfigMap, of an API server that the benchmark plays, over TLS. To the first file: from the start of the
  process until the ledger has begun its first row.
- gate: everything is applied, so one look; from a file without driver and client, beside a Node that does nothing.
- ten guarded tables of 2,000: the files come upon a copy of a database of 2,000 tables, of which ten are guarded. Beside
  it none is; effects are told in both, and a file takes one message in both. Layers 1 and 3 count the rows of guarded tables.
- Peak memory is that of the Lockstep process (VmHWM; elsewhere than on Linux ru_maxrss), the highest of
  ${memoryRuns} runs of their own.

To repeat: \`make bench\`; with more rounds \`BENCH_NO_OP_ROUNDS=31 BENCH_FRESH_ROUNDS=15 BENCH_WATCH_ROUNDS=9 BENCH_CLUSTER_ROUNDS=31 BENCH_GUARD_ROUNDS=15 BENCH_LARGE_ROUNDS=3 make bench\`.
`
}

const names = process.argv.slice(2)
const unknown = names.filter((name) => !(name in measures))
if (unknown.length > 0) {
  console.error(
    `no such measure: ${unknown.join(', ')}; there are ${Object.keys(measures).join(', ')}`,
  )
  process.exit(64)
}
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)))
}
try {
  await main(names, stopping.signal)
} catch (error) {
  console.error(stopping.signal.aborted ? String(stopping.signal.reason) : error)
  process.exitCode = 1
}
