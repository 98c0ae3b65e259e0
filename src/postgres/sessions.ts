import { activityOf, type Activity } from './activity.ts'
import type { Session } from './session.ts'

/** The lock of this key in this database, among all of `pg_locks l`. */
export function isLockOf(key: bigint): string {
  const unsigned = BigInt.asUintN(64, key)
  return `l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.pid is not null
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and l.classid = ${unsigned >> 32n} and l.objid = ${unsigned & 0xffffffffn}`
}

/** Expression for the process that holds the lock, or the fence of a transaction. */
export function holderPid(key: bigint): string {
  return `(select l.pid from pg_catalog.pg_locks l where ${isLockOf(key)} limit 1)`
}

/**
 * Who holds the lock of a ledger, and what that session does. Every role may see who holds a lock,
 * not every role what others do.
 */
export async function lockHolder(on: Session, key: bigint): Promise<Activity | undefined> {
  return await activityOf(on, holderPid(key))
}

/** Ids of the runs that have a session now. The name of a session is hidden from no role. */
export async function connectedRuns(on: Session): Promise<ReadonlySet<string>> {
  const names = await on.query<{ application: string }>(`
    select distinct application_name as application from pg_catalog.pg_stat_activity
    where application_name like 'lockstep/________/%'`)
  return new Set(names.map(({ application }) => runOfSession(application)?.run ?? ''))
}

/** The run and the pod that a Lockstep session names itself by. */
export function runOfSession(application: string): { run: string; pod: string } | undefined {
  const [, run, pod] = /^lockstep\/([0-9a-f]{8})\/(.*)$/s.exec(application) ?? []
  return run === undefined || pod === undefined ? undefined : { run, pod }
}

/** What frees all that a session holds. */
export function terminateLine(pid: number): string {
  return `select pg_terminate_backend(${pid});`
}
