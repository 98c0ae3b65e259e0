import type { Config } from './config.ts'
import type { Tell } from './events.ts'
import { readFolder } from './files/folder.ts'
import { missingNames } from './guarded.ts'
import { judge } from './judge.ts'
import { nothingFound } from './objections.ts'
import type { Activity } from './postgres/activity.ts'
import { readLargeFiles } from './large-files.ts'
import { describeAddress } from './postgres/address.ts'
import { resolve } from './postgres/census.ts'
import { Connecting } from './postgres/connect.ts'
import { readReports } from './postgres/effects.ts'
import { findObjects } from './postgres/found.ts'
import { invalidIndexes } from './postgres/indexes.ts'
import { lockKey } from './postgres/lock.ts'
import { identifier } from './postgres/quote.ts'
import { readHalfDone, readRuns, type Run, type RunRow } from './postgres/runs.ts'
import { ServerError } from './postgres/server-error.ts'
import type { Session } from './postgres/session.ts'
import { connectedRuns, lockHolder } from './postgres/sessions.ts'
import { documentOf, type Hidden, type StatusDocument } from './status-document.ts'

/** A living run that holds the lock pauses for seconds at most. */
const oneMinuteMs = 60_000

/**
 * What is applied and what is pending, what is under way and what is wrong. Reads only: no lock, no
 * setting, nothing written. What this role may not see is said, and the rest is told.
 *
 * @throws {Failure} only where connection, folder or the ledger itself cannot be read
 */
export async function status(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
  longestIdleMs = oneMinuteMs,
): Promise<StatusDocument> {
  await using connecting = new Connecting({ ...config, pooler: 'allow' }, run, tell, stop)
  const folder = await readFolder(config.dir, config.maxFileBytes)
  const { session, seen, address } = await connecting.result
  const { schema } = config
  const rows = seen.ledger?.rows ?? []
  await readLargeFiles(folder, rows, config, tell, stop)
  const isLedger = seen.ledger !== undefined
  const found = rows.length === 0 ? await findObjects(session, schema) : nothingFound

  const hidden: Hidden[] = []
  const tryTo = reader(hidden, seen.user)
  const own = identifier(schema)
  const runs = isLedger
    ? await tryTo('the runs', `${own}.run`, [], () => readRuns(session, schema))
    : []
  const halfDone = isLedger
    ? await tryTo('half-done files', `${own}.step`, [], () => readHalfDone(session, schema))
    : []
  const reports = isLedger
    ? await tryTo('the effects', `${own}.ledger`, new Map(), () => readReports(session, schema))
    : new Map()
  const unguarded = await tryTo('guarded tables', 'pg_catalog.pg_class', [], async () => {
    if (config.guardTables.length === 0) return []
    return await missingNames(session, await resolve(session, config.guardTables, schema))
  })
  const connected = await tryTo('sessions', 'pg_catalog.pg_stat_activity', undefined, () =>
    connectedRuns(session),
  )
  const holder = await tryTo('the lock', 'pg_catalog.pg_locks', undefined, () =>
    lockHolder(session, lockKey(schema)),
  )
  const secretive = secretiveOf(holder)
  if (secretive.length > 0) {
    hidden.push({
      what: `what other roles do (pid ${secretive.join(', ')})`,
      why: 'PostgreSQL shows it to pg_read_all_stats only',
      grant: `grant pg_read_all_stats to ${identifier(seen.user)};`,
    })
  }
  const indexes = await tryTo('indexes', 'pg_catalog.pg_stat_progress_create_index', [], () =>
    invalidIndexes(session),
  )
  return documentOf({
    database: describeAddress(address),
    schema,
    folder,
    rows,
    decision: await judge(session, schema, folder, seen.ledger, found, config),
    hidden,
    invalidIndexes: indexes,
    halfDone,
    runs: await settled(session, schema, runs, connected),
    connected,
    holder,
    longestIdleMs,
    reports,
    unguarded,
  })
}

/** The holder of the lock and those in its way, as far as what they do is hidden. */
function secretiveOf(holder: Activity | undefined): number[] {
  const sessions = holder === undefined ? [] : [holder, ...holder.blockers]
  // A prepared transaction does nothing.
  return sessions.filter(({ pid, state }) => pid !== 0 && state === undefined).map(({ pid }) => pid)
}

/**
 * The runs, read again where one seems to have vanished: it may have ended well between the look at
 * its row and the look at its session.
 */
async function settled(
  on: Session,
  schema: string,
  runs: readonly RunRow[],
  connected: ReadonlySet<string> | undefined,
): Promise<readonly RunRow[]> {
  const isGone = runs.some(({ id, state }) => state === 'running' && connected?.has(id) === false)
  if (!isGone) return runs
  const again = await readRuns(on, schema)
  // Not one that began meanwhile: its session has not been looked for.
  return runs.map((run) => again.find(({ id }) => id === run.id) ?? run)
}

type Reader = <T>(what: string, table: string, otherwise: T, read: () => Promise<T>) => Promise<T>

/** Reads what a role may lack the right to read, and notes what it was. */
function reader(hidden: Hidden[], user: string): Reader {
  return async (what, table, otherwise, read) => {
    try {
      return await read()
    } catch (error) {
      // Class 42: a right is missing, or what is asked for is not there.
      if (!(error instanceof ServerError) || !error.sqlState.startsWith('42')) throw error
      const grant = `grant select on ${table} to ${identifier(user)};`
      hidden.push({ what, why: error.said, grant: error.sqlState === '42501' ? grant : undefined })
      return otherwise
    }
  }
}
