import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startApiServer } from '../test/support/api-server.ts'
import { highest, interleaved, lockstep, onEmpty, type Bench } from './bench.ts'
import { peakMbOf, timeOf, type Program } from './process.ts'
import type { Row } from './report.ts'

const rounds = Number(process.env['BENCH_CLUSTER_ROUNDS'] ?? 11)

/** What a status costs a run, and what a gate costs a pod. The API server is of this process, over TLS. */
export async function measureCluster(bench: Bench): Promise<Row[]> {
  const { admin, stop } = bench
  await using api = await startApiServer()
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-'))
  const file = `file:${join(folder, 'status.json')}`
  const map = { LOCKSTEP_STATUS: 'configmap/bench', KUBECONFIG: api.kubeconfig }
  const database = 'bench_cluster'
  const asIn = (says: string, env: Readonly<Record<string, string>> = {}): Program => {
    const program = lockstep(bench, database, says)
    return { ...program, env: { ...program.env, ...env } }
  }
  const applied = '"outcome":"applied"'
  const nothing = '"outcome":"nothing-to-do"'
  const gateOf = (env: Readonly<Record<string, string>>, ...args: string[]): Program => {
    const { DATABASE_URL: _, ...rest } = lockstep(bench, database, '').env
    const { command, args: program } = lockstep(bench, database, '')
    const asked = { ...rest, ...env }
    return { command, args: [...program, 'wait', ...args], env: asked, says: '"outcome":"ready"' }
  }
  try {
    const url = new URL(database, bench.url).href
    const first = (program: Program) => () =>
      onEmpty(bench, database, () => firstStatementOf(program, url, stop))
    const [publishedMs = [], plainMs] = await interleaved(
      rounds,
      [asIn(applied, map), asIn(applied)].map(first),
    )

    await admin(`create database ${database}`)
    await timeOf(asIn(applied, { LOCKSTEP_STATUS: file }), stop)
    const { DATABASE_URL = '' } = asIn('').env
    const node: Program = { command: process.execPath, args: ['-e', '0'], env: {}, says: '' }
    const fileGate = gateOf({ LOCKSTEP_STATUS: file }, '--from', 'file')
    const baseGate = gateOf({ DATABASE_URL }, '--from', 'database')
    const status = asIn(nothing, map)
    await timeOf(status, stop)
    const [nodeMs, fileMs = [], baseMs = [], readMs = [], noneMs] = await interleaved(
      rounds,
      [node, fileGate, baseGate, status, asIn(nothing)].map(
        (program) => () => timeOf(program, stop),
      ),
    )
    const peakOf = (program: Program): Promise<number> => highest(() => peakMbOf(program, stop))
    const written = (): Promise<number> => {
      api.maps.clear()
      return peakMbOf(status, stop)
    }
    const bare = 'bare `node -e 0`'
    return [
      {
        workload: 'fresh, to the first file, with a status',
        oursMs: publishedMs,
        beside: 'without a status',
        besideMs: plainMs,
        ratioGoal: 1.05,
      },
      {
        workload: 'nothing to do, status looked at; memory: written',
        oursMs: readMs,
        beside: 'without a status',
        besideMs: noneMs,
        peakMb: await highest(written),
        peakGoalMb: 80,
      },
      {
        workload: 'gate, from a file',
        oursMs: fileMs,
        beside: bare,
        besideMs: nodeMs,
        ratioGoal: 1.6,
        peakMb: await peakOf(fileGate),
        peakGoalMb: 50,
      },
      {
        workload: 'gate, from the database',
        oursMs: baseMs,
        beside: bare,
        besideMs: nodeMs,
        peakMb: await peakOf(baseGate),
        peakGoalMb: 60,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Milliseconds from the start of a process to its first file, as the ledger tells it: one machine, one clock. */
async function firstStatementOf(program: Program, url: string, stop: AbortSignal): Promise<number> {
  const beganMs = Date.now()
  await timeOf(program, stop)
  const client = postgres(url, { max: 1, onnotice: () => undefined })
  try {
    const [row] = await client<{ startedMs: number }[]>`
      select extract(epoch from min(started))::float8 * 1000 as "startedMs" from lockstep.ledger`
    return (row?.startedMs ?? Number.NaN) - beganMs
  } finally {
    await client.end({ timeout: 1 })
  }
}
