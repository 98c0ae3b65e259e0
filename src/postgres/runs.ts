import type { Failure } from '../failure.ts'
import type { Phase } from '../phases.ts'
import type { Step } from '../recorded.ts'
import { flushing } from './ledger.ts'
import { identifier, literal, optional } from './quote.ts'
import type { Session } from './session.ts'

/** A row of the table `run`; times by the clock of the server. */
export interface RunRow {
  readonly id: string
  readonly state: string
  readonly pod: string | null
  readonly image: string | null
  /** The file that was under way when it ended. */
  readonly fileBegun: string | null
  readonly exitCode: number | null
  /** Code of the failure. */
  readonly reason: string | null
  readonly started: string
  readonly finished: string | null
  /** Since it ended, or began where it has not ended. */
  readonly agoMs: number
}

/** States of a run that ended badly and could say so. */
export const failedStates: readonly string[] = ['failed', 'refused', 'interrupted']

const rowAsJson = `pg_catalog.json_build_object('id', id, 'state', state, 'pod', pod, 'image', image,
      'fileBegun', file_begun, 'exitCode', exit_code, 'reason', reason, 'started', started, 'finished', finished,
      'agoMs', (extract(epoch from pg_catalog.clock_timestamp() - coalesce(finished, started)) * 1000)::pg_catalog.int8)`

/** The last run, and the last that failed where that is another; the newest first. */
export async function readRuns(on: Session, schema: string): Promise<readonly RunRow[]> {
  const runs = `${identifier(schema)}.run`
  const newest = 'order by started desc, id limit 1'
  const failed = failedStates.map((state) => `'${state}'`).join(', ')
  const found = await on.query<{ row: RunRow }>(`
    select ${rowAsJson} as row
    from ${runs}
    where id in ((select id from ${runs} ${newest}), (select id from ${runs} where state in (${failed}) ${newest}))
    order by started desc, id`)
  return found.map(({ row }) => row)
}

/**
 * The newest run of these files, or of any; not of the phase after a rollout, which applies nothing
 * that a pod needs.
 */
export async function newestRun(
  on: Session,
  schema: string,
  setChecksum: string | undefined,
): Promise<RunRow | undefined> {
  const isOf = setChecksum === undefined ? 'true' : `set_checksum = ${literal(setChecksum)}`
  const [found] = await on.query<{ row: RunRow }>(`
    select ${rowAsJson} as row from ${identifier(schema)}.run
    where ${isOf} and phase is distinct from 'after-rollout'
    order by started desc, id limit 1`)
  return found?.row
}

/** Steps of files that are begun and not applied, by file and in order. */
export async function readHalfDone(on: Session, schema: string): Promise<readonly Step[]> {
  const s = identifier(schema)
  return await on.query<Step>(`
    select file, ordinal, meaning, state from ${s}.step
    where not exists (select from ${s}.ledger where name = file and finished is not null)
    order by file collate "C", ordinal`)
}

/** A run that has work to do, for whoever comes later; one with nothing to do leaves no row. */
export interface Run {
  /** Eight hexadecimal digits. */
  readonly id: string
  readonly pod: string
  /** A person watches, on a terminal. */
  readonly isAttended: boolean
}

/**
 * Leaves that a run has begun, once, however many connections it needs; or why its plan is refused. That
 * run has nothing to do either, but whoever waits for it is to know. Nobody rests after it as after a file
 * that failed: it has touched nothing, and often a setting mends it.
 */
export async function recordStart(
  on: Session,
  schema: string,
  run: Run,
  setChecksum: string,
  phase: Phase | undefined,
  refusal?: Failure,
): Promise<void> {
  const values = [
    literal(run.id),
    literal(setChecksum),
    optional(phase),
    literal(refusal === undefined ? 'running' : 'refused'),
    literal(run.pod),
    optional(refusal?.code),
    refusal?.exit ?? 'null',
    refusal === undefined ? 'null' : 'pg_catalog.clock_timestamp()',
  ]
  await on.query(
    `insert into ${identifier(schema)}.run (id, set_checksum, phase, state, pod, reason, exit_code, finished)
    values (${values.join(', ')}) on conflict (id) do nothing`,
  )
}

export interface RunEnd {
  readonly state: 'succeeded' | 'failed' | 'interrupted'
  readonly exitCode: number
  /** Code of the failure, never more: others may read the row. */
  readonly reason: string | undefined
  /** The file that was under way. */
  readonly fileBegun: string | undefined
}

export const success: RunEnd = {
  state: 'succeeded',
  exitCode: 0,
  reason: undefined,
  fileBegun: undefined,
}

/**
 * Records how a run ended, by a commit that makes durable whatever was applied before it, and the ledger
 * says so. Rows older than 90 days go, except the first success.
 */
export async function recordEnd(on: Session, schema: string, run: Run, end: RunEnd): Promise<void> {
  const runs = `${identifier(schema)}.run`
  await on.execute(`
    rollback;
    ${flushing(schema)};
    update ${runs} set state = ${literal(end.state)}, exit_code = ${end.exitCode},
      reason = ${optional(end.reason)}, file_begun = ${optional(end.fileBegun)},
      finished = pg_catalog.clock_timestamp()
    where id = ${literal(run.id)};
    delete from ${runs} where started < pg_catalog.clock_timestamp() - interval '90 days'
      and id is distinct from (
        select id from ${runs} where state = 'succeeded' order by started limit 1)`)
}

/** A run that ended with a failure that a retry does not mend. */
export interface FailedRun {
  readonly id: string
  readonly reason: string
  readonly file: string | undefined
  /** How long ago it ended, by the clock of the server. */
  readonly agoMs: number
  /** When that was asked, by `performance.now()`: the answer is of a later moment. */
  readonly askedMs: number
}

/** The latest run of the same files and phase that ended with exit 1, unless another has succeeded since. */
export async function failedRun(
  on: Session,
  schema: string,
  setChecksum: string,
  phase: Phase | undefined,
): Promise<FailedRun | undefined> {
  const askedMs = performance.now()
  const [row] = await on.query<Omit<FailedRun, 'askedMs'> & { exit: number }>(`
    select id, reason, file_begun as file, exit_code as exit,
      (extract(epoch from pg_catalog.clock_timestamp() - finished) * 1000)::pg_catalog.float8 as "agoMs"
    from ${identifier(schema)}.run
    where set_checksum = ${literal(setChecksum)} and phase is not distinct from ${optional(phase)}
      and exit_code in (0, 1) and state <> 'refused'
    order by finished desc limit 1`)
  return row?.exit === 1 ? { ...row, file: row.file ?? undefined, askedMs } : undefined
}
