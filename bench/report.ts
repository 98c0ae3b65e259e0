import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import type { Psql } from './psql.ts'

/** One workload, measured. */
export interface Row {
  readonly workload: string
  /** A time for each round. */
  readonly oursMs: readonly number[]
  /** What it is compared with, in the same rounds: psql where nothing else is said. */
  readonly beside?: string
  /** Undefined without psql. */
  readonly besideMs: readonly number[] | undefined
  readonly ratioGoal?: number
  readonly peakMb?: number
  readonly peakGoalMb?: number
}

/** What the figures depend on, taken before the first run makes its own load. */
export function describeMachine(serverVersion: string, psql: Psql | string): string[] {
  const cores = cpus()
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  const load = loadavg()
    .map((average) => average.toFixed(2))
    .join(' ')
  return [
    `Date: ${new Date().toISOString().slice(0, 10)}`,
    `Machine: ${cores[0]?.model ?? arch()}, ${cores.length} cores, ${gib} GiB, ${platform()} ${release()}`,
    `Load before the first run (1, 5, 15 minutes): ${load}`,
    `Node ${process.versions.node}`,
    `PostgreSQL ${serverVersion} on 127.0.0.1, SCRAM, fsync on; without TLS but in its row`,
    typeof psql === 'string' ? `psql: none, ${psql}` : `psql ${psql.version}, ${psql.path}`,
  ]
}

export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const ratios = row.besideMs?.map((ms, round) => (row.oursMs[round] ?? Number.NaN) / ms)
    return [
      row.workload,
      String(row.oursMs.length),
      median(row.oursMs).toFixed(0),
      row.beside ?? 'psql',
      row.besideMs === undefined ? 'no psql' : median(row.besideMs).toFixed(0),
      ratios === undefined ? 'no psql' : spread(ratios),
      row.ratioGoal === undefined ? '' : `<= ${row.ratioGoal.toFixed(2)}`,
      row.peakMb === undefined ? '' : row.peakMb.toFixed(0),
      row.peakGoalMb === undefined ? '' : `<= ${row.peakGoalMb}`,
    ]
  })
  const head = [
    'workload',
    'rounds',
    'ms',
    'beside',
    'ms',
    'ratio: median (min to max)',
    'goal',
    'peak memory MB',
    'goal',
  ]
  const rule = head.map((_, column) => (column === 0 || column === 3 ? '---' : '---:'))
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function spread(ratios: readonly number[]): string {
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)]
  return `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}
