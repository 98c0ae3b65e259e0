import { hash } from 'node:crypto'
import { Failure } from '../errors.ts'
import type { Tell } from '../events.ts'
import { pause } from '../pause.ts'
import type { Pooler } from './pooler.ts'
import type { Session } from './session.ts'

/**
 * Key of the advisory lock of a ledger: the first eight bytes of SHA-256 over `lockstep ` and the
 * name of its schema, as a signed big-endian integer. The server scopes it by database. Golden
 * values pin it: two releases that disagreed would both think themselves alone.
 */
export function lockKey(schema: string): bigint {
  return hash('sha256', `lockstep ${schema}`, 'buffer').readBigInt64BE(0)
}

interface Patience {
  readonly runnerWaitMs: number
  readonly heartbeatMs: number
  readonly pooler: Pooler
}

/** Since when a run waits for its turn, and when that was last told. */
export interface Wait {
  sinceMs: number
  toldMs: number
  turns: number
}

export function newWait(): Wait {
  return { sinceMs: performance.now(), toldMs: Number.NEGATIVE_INFINITY, turns: 0 }
}

/**
 * Without the lock another runner may come between two files; then the ledger has moved, and the
 * plan is made anew in the next turn.
 */
export function isTurnLost(
  { code }: Failure,
  { pooler, runnerWaitMs }: Patience,
  wait: Wait,
): boolean {
  const isInTime = performance.now() - wait.sinceMs < runnerWaitMs
  return pooler === 'allow' && code === 'LEDGER_MOVED' && isInTime
}

/** Polls begin close together, since most runs are short, and grow apart. */
const firstPauseMs = 20
const longestPauseMs = 500

/**
 * Waits for the lock by polling: a session blocked in `pg_advisory_lock` holds a snapshot, and a
 * holder that builds an index concurrently waits for that snapshot (40P01,
 * golang-migrate/migrate#960). The lock has no release: it ends with its session.
 *
 * Where a pooler shares sessions the lock would stay on somebody else's, so it is only waited for:
 * the turn then lasts as long as nobody takes it away, and the fence of each transaction says so.
 *
 * @param doneByOther - asked at each poll; what it returns ends the wait: the holder has left
 *   nothing to do
 * @param wait - of the run, where it may need several turns
 * @throws {Failure} RUNNER_WAIT_OVER, or the reason of `stop`
 */
export async function takeTurn<Done>(
  on: Session,
  key: bigint,
  doneByOther: () => Promise<Done | undefined>,
  { runnerWaitMs, heartbeatMs, pooler }: Patience,
  tell: Tell,
  stop: AbortSignal,
  wait = newWait(),
): Promise<'taken' | Done> {
  const isShared = pooler === 'allow'
  const free = `not exists (select from pg_catalog.pg_locks l where ${isOurLock(key)})`
  if (wait.turns > 0) {
    // The last turn was lost inside a transaction; and not all who lost theirs come back at once.
    await on.execute('rollback')
    await pause(firstPauseMs * Math.random(), stop)
  }
  wait.turns += 1
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    const [row] = await on.query<{ taken: boolean }>(
      `select ${isShared ? free : `pg_catalog.pg_try_advisory_lock(${key})`} as taken`,
    )
    const waitedMs = performance.now() - wait.sinceMs
    if (row?.taken === true) {
      if (!isShared) tell({ checkpoint: 'lock', waitedMs })
      return 'taken'
    }
    if (waitedMs >= runnerWaitMs) {
      const holder = await holderOf(on, key)
      throw new Failure(
        'RUNNER_WAIT_OVER',
        `the lock is held by ${holder}, for longer than LOCKSTEP_RUNNER_WAIT`,
      )
    }
    if (performance.now() - wait.toldMs >= heartbeatMs) {
      wait.toldMs = performance.now()
      tell({
        checkpoint: 'waiting',
        reason: `the lock is held by ${await holderOf(on, key)}`,
        waitedMs,
        more: [],
      })
    }
    const leftMs = Math.max(runnerWaitMs - waitedMs, 1)
    await pause(Math.min(pauseMs * (0.5 + Math.random()), leftMs), stop)
    // Before the next try, so that nobody takes the lock only to find that nothing is left.
    const done = await doneByOther()
    if (done !== undefined) return done
  }
}

/** The lock of this key in this database, among all of `pg_locks l`. */
function isOurLock(key: bigint): string {
  const unsigned = BigInt.asUintN(64, key)
  return `l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and l.classid = ${unsigned >> 32n} and l.objid = ${unsigned & 0xffffffffn}`
}

/** Expression for the process that holds the lock, or the fence of a transaction. */
export function holderPid(key: bigint): string {
  return `(select l.pid from pg_catalog.pg_locks l where ${isOurLock(key)} limit 1)`
}

/** The holder for people: its pod and run, from the name that a Lockstep session gives itself. */
async function holderOf(on: Session, key: bigint): Promise<string> {
  const [holder] = await on.query<{ name: string | null; pid: number; age: number | null }>(`
    select a.application_name as name, l.pid,
      extract(epoch from pg_catalog.clock_timestamp() - a.backend_start)::int as age
    from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
    where ${isOurLock(key)}`)
  if (holder === undefined) return 'a session that has just ended'
  const [, run, pod] = /^lockstep\/([0-9a-f]{8})\/(.*)$/.exec(holder.name ?? '') ?? []
  const who =
    run === undefined
      ? `pid ${holder.pid}`
      : `${pod === '' ? 'a runner' : pod} (run ${run}, pid ${holder.pid})`
  return holder.age === null ? who : `${who}, connected for ${holder.age} s`
}
