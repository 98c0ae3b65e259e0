import { readConfig } from '../../src/config.ts'
import type { Checkpoint, Event } from '../../src/events.ts'
import { asFailure, type Failure } from '../../src/failure.ts'
import { migrate } from '../../src/migrate.ts'
import { freshDatabase, type Database } from './database.ts'
import { folderOf } from './folder.ts'
import { basis } from './mutants.ts'

const never = new AbortController().signal

export interface GuardedRun {
  readonly events: readonly Event[]
  readonly failure: Failure | undefined
  /** All that people see of the failure. */
  readonly said: string
}

/** Runs files within this process, on a database that has its tables already. */
export async function runGuarded(
  url: string,
  files: Readonly<Record<string, string>>,
  guard: string,
  env: Readonly<Record<string, string>> = {},
): Promise<GuardedRun> {
  using folder = folderOf(files)
  const config = readConfig({
    DATABASE_URL: url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_CONNECT_WAIT: '0s',
    LOCKSTEP_GUARD_TABLES: guard,
    ...env,
  })
  const events: Event[] = []
  const as = { id: 'cafe0123', pod: 'test', isAttended: true }
  try {
    await migrate(config, as, (event) => events.push(event), never)
    return { events, failure: undefined, said: '' }
  } catch (error) {
    const failure = asFailure(error)
    return { events, failure, said: [failure.message, ...failure.more].join('\n') }
  }
}

export function eventsOf<C extends Checkpoint>(
  { events }: Pick<GuardedRun, 'events'>,
  checkpoint: C,
): Extract<Event, { checkpoint: C }>[] {
  return events.filter(
    (event): event is Extract<Event, { checkpoint: C }> => event.checkpoint === checkpoint,
  )
}

/** A database with the tables that the guard is tried on. */
export async function prepared(): Promise<Database> {
  const db = await freshDatabase()
  await db.sql(basis)
  return db
}

export async function count(db: Database, table: string): Promise<number> {
  const [row] = await db.sql<{ n: number }>(`select count(*)::int as n from ${table}`)
  return row?.n ?? -1
}
