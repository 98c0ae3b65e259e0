import { join } from 'node:path'
import type { Program } from './process.ts'
import type { Psql } from './psql.ts'
import type { Workload } from './workload.ts'

/** How many runs of their own tell the highest memory. */
export const memoryRuns = 3
const bundle = join(import.meta.dirname, '..', 'dist', 'lockstep.mjs')

/** What all measurements share. */
export interface Bench {
  readonly workload: Workload
  readonly psql: Psql | undefined
  /** Connection string of the superuser. */
  readonly url: string
  readonly admin: (statement: string) => Promise<unknown>
  readonly stop: AbortSignal
}

/** A database for each measurement, made and dropped outside of the timed part. */
export async function onEmpty(
  { admin }: Bench,
  database: string,
  measure: () => Promise<number>,
): Promise<number> {
  await admin(`create database ${database}`)
  const measured = await measure()
  // It begins a checkpoint, so that every run starts with nothing left to write.
  await admin(`drop database ${database} with (force)`)
  return measured
}

/** One round of all to warm up, then the rounds that count; for each the figures of its rounds. */
export async function interleaved(
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

export async function highest(measure: () => Promise<number>): Promise<number> {
  const [figures = []] = await interleaved(memoryRuns, [measure])
  return Math.max(...figures)
}

export function lockstep(
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

export function psqlWith(
  { url }: Bench,
  psql: Psql,
  database: string,
  script: string,
  flags: readonly string[] = [],
): Program {
  const { hostname, port, username, password } = new URL(url)
  return {
    command: psql.path,
    args: ['-X', '-q', '-o', '/dev/null', '-v', 'ON_ERROR_STOP=1', ...flags, '-f', script],
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
