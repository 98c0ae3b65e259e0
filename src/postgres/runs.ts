import { identifier } from './quote.ts'
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

/** A row of the table `step`. */
export interface StepRow {
  readonly file: string
  readonly ordinal: number
  readonly meaning: string
  readonly state: string
}

/** States of a run that ended badly and could say so. */
export const failedStates: readonly string[] = ['failed', 'interrupted']

/** The last run, and the last that failed where that is another; the newest first. */
export async function readRuns(on: Session, schema: string): Promise<readonly RunRow[]> {
  const runs = `${identifier(schema)}.run`
  const newest = 'order by started desc, id limit 1'
  const failed = failedStates.map((state) => `'${state}'`).join(', ')
  const found = await on.query<{ row: RunRow }>(`
    select pg_catalog.json_build_object('id', id, 'state', state, 'pod', pod, 'image', image,
      'fileBegun', file_begun, 'exitCode', exit_code, 'reason', reason, 'started', started, 'finished', finished,
      'agoMs', (extract(epoch from pg_catalog.clock_timestamp() - coalesce(finished, started)) * 1000)::pg_catalog.int8) as row
    from ${runs}
    where id in ((select id from ${runs} ${newest}), (select id from ${runs} where state in (${failed}) ${newest}))
    order by started desc, id`)
  return found.map(({ row }) => row)
}

/** Steps of files that are begun and not applied, by file and in order. */
export async function readHalfDone(on: Session, schema: string): Promise<readonly StepRow[]> {
  const s = identifier(schema)
  return await on.query<StepRow>(`
    select file, ordinal, meaning, state from ${s}.step
    where not exists (select from ${s}.ledger where name = file and finished is not null)
    order by file collate "C", ordinal`)
}
