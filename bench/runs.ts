import { BackendMemory, canMeasure } from '../test/support/memory.ts'
import { highest, interleaved, lockstep, onEmpty, psqlWith, type Bench } from './bench.ts'
import { timeOfPieces } from './pieces.ts'
import { peakMbOf, timeOf, type Program } from './process.ts'
import type { Row } from './report.ts'
import { makeLargeFile } from './workload.ts'

const noOpRounds = Number(process.env['BENCH_NO_OP_ROUNDS'] ?? 11)
const freshRounds = Number(process.env['BENCH_FRESH_ROUNDS'] ?? 7)
const watchRounds = Number(process.env['BENCH_WATCH_ROUNDS'] ?? 5)
/** psql takes a minute for each. */
const largeRounds = Number(process.env['BENCH_LARGE_ROUNDS'] ?? 1)
const withTls = { PGSSLMODE: 'require' }

/** Every file is applied already; a bare Node in the same rounds tells what Node itself takes. */
export async function measureNoOp(bench: Bench): Promise<Row[]> {
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

/** All files, on an empty database. */
export async function measureFresh(bench: Bench): Promise<Row[]> {
  const { stop, psql } = bench
  const database = 'bench_fresh'
  const ours = lockstep(bench, database, `"outcome":"applied","applied":${bench.workload.files}`)
  const theirs = psql && psqlWith(bench, psql, database, bench.workload.freshScript)
  const [oursMs = [], psqlMs] = await interleaved(
    freshRounds,
    [ours, ...(theirs ? [theirs] : [])].map(
      (program) => () => onEmpty(bench, database, () => timeOf(program, stop)),
    ),
  )
  const peakMb = await highest(() => onEmpty(bench, database, () => peakMbOf(ours, stop)))
  return [{ workload: 'fresh', oursMs, besideMs: psqlMs, peakMb, ratioGoal: 1 }]
}

/** One file of 100 MB; psql sends each statement by itself. No round to warm up: it takes long enough. */
export async function measureLarge(bench: Bench): Promise<Row[]> {
  const { stop, psql } = bench
  using workload = makeLargeFile()
  const database = 'bench_large'
  const ours = lockstep({ ...bench, workload }, database, '"outcome":"applied"')
  const theirs = psql && psqlWith(bench, psql, database, workload.file, ['-1'])
  const oursMs: number[] = []
  const serverMs: number[] = []
  const besideMs: number[] = []
  const inDatabase = new URL(database, bench.url).href
  for (let round = 0; round < largeRounds; round += 1) {
    oursMs.push(await onEmpty(bench, database, () => timeOf(ours, stop)))
    serverMs.push(await onEmpty(bench, database, () => timeOfPieces(inDatabase, workload.file)))
    if (theirs) besideMs.push(await onEmpty(bench, database, () => timeOf(theirs, stop)))
  }
  using backend = new BackendMemory(database)
  const peakMb = await highest(() => onEmpty(bench, database, () => peakMbOf(ours, stop)))
  return [
    {
      workload: '100 MB file',
      oursMs,
      besideMs: theirs && besideMs,
      ratioGoal: 0.07,
      peakMb,
      peakGoalMb: 120,
      ...(canMeasure ? { backendMb: backend.peakMb } : {}),
      backendGoalMb: 10,
    },
    {
      workload: '100 MB file, the server alone',
      oursMs: serverMs,
      besideMs: theirs && besideMs,
    },
  ]
}

/** One large file, watched and not: what the second connection and the heartbeats cost. */
export async function measureWatch(bench: Bench): Promise<Row[]> {
  const { stop } = bench
  using workload = makeLargeFile()
  const database = 'bench_watch'
  const asIn = (env: Readonly<Record<string, string>>): Program => {
    const program = lockstep({ ...bench, workload }, database, '"outcome":"applied"')
    return { ...program, env: { ...program.env, ...env } }
  }
  const watched = asIn({ LOCKSTEP_HEARTBEAT: '1s' })
  const alone = asIn({ LOCKSTEP_HEARTBEAT: '1h', LOCKSTEP_LOCK_TIMEOUT: '0' })
  const [oursMs = [], besideMs] = await interleaved(
    watchRounds,
    [watched, alone].map((program) => () => onEmpty(bench, database, () => timeOf(program, stop))),
  )
  const beside = 'not watched'
  return [{ workload: '100 MB file, a line a second', oursMs, beside, besideMs, ratioGoal: 1.02 }]
}
