import { hash } from 'node:crypto'
import { failures } from '../errors.ts'
import { Failure } from '../failure.ts'
import type { Tell } from '../events.ts'
import { pause } from '../pause.ts'
import { blockerText, doing, seconds, sessionName } from '../phrases.ts'
import type { Activity } from './activity.ts'
import type { Pooler } from './pooler.ts'
import type { Session } from './session.ts'
import { isLockOf, lockHolder, runOfSession, terminateLine } from './sessions.ts'

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
 * @param lookAtOthers - asked at each poll; what it returns or throws ends the wait: the holder has
 *   left nothing to do, or has failed
 * @param wait - of the run, where it may need several turns
 * @throws {Failure} RUNNER_WAIT_OVER, what it throws, or the reason of `stop`
 */
export async function takeTurn<Done>(
  on: Session,
  key: bigint,
  lookAtOthers: () => Promise<Done | undefined>,
  { runnerWaitMs, heartbeatMs, pooler }: Patience,
  tell: Tell,
  stop: AbortSignal,
  wait = newWait(),
): Promise<'taken' | Done> {
  const isShared = pooler === 'allow'
  const free = `not exists (select from pg_catalog.pg_locks l where ${isLockOf(key)})`
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
      // Whoever has waited may come too late: the holder has done all since the last look.
      const done = pauseMs === firstPauseMs ? undefined : await lookAtOthers()
      if (done !== undefined) return done
      if (!isShared) tell({ checkpoint: 'lock', waitedMs })
      return 'taken'
    }
    if (waitedMs >= runnerWaitMs) {
      const { who, more } = describeHolder(await lockHolder(on, key))
      const reason = `the lock is held by ${who}, for longer than LOCKSTEP_RUNNER_WAIT`
      throw new Failure('RUNNER_WAIT_OVER', reason, [...more, failures.RUNNER_WAIT_OVER.todo])
    }
    if (performance.now() - wait.toldMs >= heartbeatMs) {
      wait.toldMs = performance.now()
      const { who, more } = describeHolder(await lockHolder(on, key))
      tell({ checkpoint: 'waiting', reason: `the lock is held by ${who}`, waitedMs, more })
    }
    const leftMs = Math.max(runnerWaitMs - waitedMs, 1)
    await pause(Math.min(pauseMs * (0.5 + Math.random()), leftMs), stop)
    // Before the next try, so that nobody takes the lock only to find that nothing is left.
    const done = await lookAtOthers()
    if (done !== undefined) return done
  }
}

/** A holder that does nothing for so long may have lost its client. */
const orphanedMs = 60_000

/** The holder for people: its pod and run, from the name that a Lockstep session gives itself. */
export function describeHolder(holder: Activity | undefined): { who: string; more: string[] } {
  if (holder === undefined) return { who: 'a session that has just ended', more: [] }
  const { pid, application, connectedMs, state, stateMs = 0 } = holder
  const lockstep = runOfSession(application)
  const name =
    lockstep === undefined
      ? sessionName(holder)
      : `${lockstep.pod || 'a runner'} (run ${lockstep.run}, pid ${pid})`
  const since = connectedMs === undefined ? '' : `, connected for ${seconds(connectedMs)}`
  const isOrphan = state !== undefined && state !== 'active' && stateMs > orphanedMs
  const more = [
    ...holder.blockers.map((blocker) => `in its way: ${blockerText(blocker)}`),
    ...(state === undefined
      ? ['what it does is hidden from this role: grant pg_read_all_stats to it']
      : []),
    ...(isOrphan
      ? [
          `it has been ${state} for ${seconds(stateMs)}: if its client is gone, this ends it:`,
          terminateLine(pid),
        ]
      : []),
  ]
  return { who: `${name}${since}${whatItDoes(holder)}`, more }
}

/** `; it applies 0014_index.sql: building index: scanning table, 62 %`. */
function whatItDoes(holder: Activity): string {
  const { file, state, waitsFor } = holder
  if (file === undefined || state !== 'active') return ''
  const what =
    waitsFor === undefined ? doing(holder) : `waits for ${waitsFor.mode} on ${waitsFor.on}`
  return `; it applies ${[file, what ?? []].flat().join(': ')}`
}
