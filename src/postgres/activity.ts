import type { Blocker, LockRequest, Progress } from '../events.ts'
import type { Session } from './session.ts'

/** What a session of the server is doing; undefined is what the server hides from this role. */
export interface Activity {
  readonly pid: number
  readonly application: string
  readonly user: string | undefined
  readonly state: string | undefined
  /** Since the state last changed. */
  readonly stateMs: number | undefined
  readonly connectedMs: number | undefined
  /** `Lock relation`, `IO DataFileRead`: kind and name of what it waits for. */
  readonly waitEvent: string | undefined
  /** The file that a Lockstep session applies, from the comment before its text. */
  readonly file: string | undefined
  readonly progress: Progress | undefined
  readonly waitsFor: LockRequest | undefined
  readonly blockers: readonly Blocker[]
}

/**
 * What a session does, and who blocks it. Never the text of a statement: of a Lockstep session
 * only the file's name, which stands in a comment of ours.
 *
 * @param pid - or an expression that yields it
 */
export async function activityOf(on: Session, pid: number | string): Promise<Activity | undefined> {
  const [row] = await on.query<{ activity: Nullable<Activity> }>(activityQuery(pid))
  return row === undefined ? undefined : withoutNull(row.activity)
}

/** Milliseconds since a moment, by the clock of the server. */
function ms(since: string): string {
  return `(extract(epoch from pg_catalog.clock_timestamp() - ${since}) * 1000)::pg_catalog.int8`
}

/** From `ShareUpdateExclusiveLock` to `SHARE UPDATE EXCLUSIVE`, as the manual writes it. */
function mode(lock: string): string {
  return `pg_catalog.upper(pg_catalog.regexp_replace(pg_catalog.replace(${lock}, 'Lock', ''), '([a-z])([A-Z])', '\\1 \\2', 'g'))`
}

/** PostgreSQL manual, 13.3. */
const byStrength = `array['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
  'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']`

function activityQuery(pid: number | string): string {
  return `
    with asked as (
      select l.*, case when l.relation is null then l.locktype else n.nspname || '.' || c.relname end as target
      from pg_catalog.pg_locks l
        left join pg_catalog.pg_class c on c.oid = l.relation
        left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where l.pid = ${pid} and not l.granted
      limit 1
    ), direct as (
      select pid from pg_catalog.unnest(pg_catalog.pg_blocking_pids(${pid})) as blocks (pid)
    ), blocking as (
      -- Who only queues in front of us has somebody in the way as well.
      select pid from direct
      union
      select further from direct, pg_catalog.unnest(pg_catalog.pg_blocking_pids(direct.pid)) as further
      where direct.pid <> 0 and further <> ${pid}
    ), progress as (
      select pid, 'CREATE INDEX' as command, phase, case when phase ~ 'tuples' then tuples_done else blocks_done end as done,
        case when phase ~ 'tuples' then tuples_total else blocks_total end as total, null::pg_catalog.int8 as rows
      from pg_catalog.pg_stat_progress_create_index
      union all
      select pid, 'VACUUM', phase, heap_blks_scanned, heap_blks_total, null from pg_catalog.pg_stat_progress_vacuum
      union all
      select pid, command, phase, heap_blks_scanned, heap_blks_total, heap_tuples_written from pg_catalog.pg_stat_progress_cluster
      union all
      select pid, 'COPY', null, bytes_processed, bytes_total, tuples_processed from pg_catalog.pg_stat_progress_copy
      union all
      select pid, 'ANALYZE', phase, sample_blks_scanned, sample_blks_total, null from pg_catalog.pg_stat_progress_analyze
    )
    select pg_catalog.json_build_object(
      'pid', a.pid, 'application', a.application_name, 'user', a.usename, 'state', a.state,
      'stateMs', ${ms('a.state_change')}, 'connectedMs', ${ms('a.backend_start')},
      'waitEvent', a.wait_event_type || ' ' || a.wait_event,
      'file', pg_catalog.substring(a.query, '^/\\* lockstep ([^ *]+) \\*/'),
      'progress', (
        select pg_catalog.json_build_object('command', p.command, 'phase', p.phase, 'rows', p.rows,
          'percent', case when p.total > 0 then pg_catalog.floor(100.0 * p.done / p.total)::pg_catalog.int4 end)
        from progress p where p.pid = a.pid limit 1),
      'waitsFor', (select pg_catalog.json_build_object('mode', ${mode('asked.mode')}, 'on', asked.target) from asked),
      'blockers', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object(
          'pid', blocking.pid, 'application', b.application_name, 'user', b.usename, 'state', b.state,
          'stateMs', ${ms('b.state_change')}, 'mode', lock.mode, 'isHeld', lock.granted))
        from blocking
          left join pg_catalog.pg_stat_activity b on b.pid = blocking.pid
          left join lateral (
            select ${mode('held.mode')} as mode, held.granted from pg_catalog.pg_locks held, asked
            where held.pid = blocking.pid and held.locktype = asked.locktype
              and held.database is not distinct from asked.database
              and held.relation is not distinct from asked.relation
              and held.transactionid is not distinct from asked.transactionid
              and held.classid is not distinct from asked.classid
              and held.objid is not distinct from asked.objid
            order by held.granted desc, pg_catalog.array_position(${byStrength}, held.mode) desc
            limit 1
          ) as lock on true
      ), '[]'::pg_catalog.json)
    ) as activity
    from pg_catalog.pg_stat_activity a where a.pid = ${pid}`
}

/** As it comes in JSON: null where the type says undefined. */
type Nullable<T> = { [K in keyof T]: T[K] | null }

function withoutNull(activity: Nullable<Activity>): Activity {
  const text = JSON.stringify(activity)
  // oxlint-disable-next-line no-unsafe-type-assertion -- the query above makes these fields
  return JSON.parse(text, (_, value: unknown) => value ?? undefined) as Activity
}
