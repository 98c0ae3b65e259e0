import type { Config } from './config.ts'
import type { Tell } from './events.ts'
import { asFailure } from './failure.ts'
import type { SeenRun, Sight, Wanted } from './gate.ts'
import type { GateView, Obstacle } from './gate-view.ts'
import { readLargeFiles } from './large-files.ts'
import { pause } from './pause.ts'
import { Connecting } from './postgres/connect.ts'
import { databaseId } from './postgres/database-id.ts'
import { look } from './postgres/ledger.ts'
import { identifier } from './postgres/quote.ts'
import { newestRun, type Run, type RunRow } from './postgres/runs.ts'
import { ServerError } from './postgres/server-error.ts'
import type { Session } from './postgres/session.ts'
import { setChecksum } from './predecessor.ts'

/**
 * The ledger itself, of the primary or of a standby. A look is one connection, for as long as it takes,
 * so that pods that wait hold none; where there is none left, that is a reason to wait.
 */
export class DatabaseView implements GateView {
  readonly #config: Config
  readonly #wanted: Wanted
  readonly #run: Run
  readonly #tell: Tell
  #isTold = false

  constructor(config: Config, wanted: Wanted, run: Run, tell: Tell) {
    this.#config = config
    this.#wanted = wanted
    this.#run = run
    this.#tell = tell
  }

  async look(stop: AbortSignal): Promise<Sight | Obstacle> {
    const { schema } = this.#config
    // The place is told once.
    const tellPlace: Tell = (event) => {
      if (event.checkpoint === 'database' && !this.#isTold) this.#tell(event)
      this.#isTold ||= event.checkpoint === 'database'
    }
    return await onDatabase(
      this.#config,
      this.#run,
      tellPlace,
      stop,
      async (session, rows, user) => {
        if (rows === undefined)
          return { rows: [], run: undefined, hints: [`there is no ledger in the schema ${schema}`] }
        const set = 'folder' in this.#wanted ? setChecksum(this.#wanted.folder) : undefined
        if ('folder' in this.#wanted)
          await readLargeFiles(this.#wanted.folder, rows, this.#config, this.#tell, stop)
        try {
          const row = await newestRun(session, schema, set)
          // It may have ended well between the two questions.
          const again =
            row === undefined || row.state === 'running' ? undefined : await look(session, schema)
          return { rows: again?.ledger?.rows ?? rows, run: row && seen(row), hints: [] }
        } catch (error) {
          if (!(error instanceof ServerError) || error.sqlState !== '42501') throw error
          const grant = `grant select on ${identifier(schema)}.run to ${identifier(user)};`
          return { rows, run: undefined, hints: [`runs are hidden from this role: ${grant}`] }
        }
      },
    )
  }

  rest(ms: number, stop: AbortSignal): Promise<void> {
    return pause(ms, stop)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

/** The id of the database, for a gate that looks elsewhere and may compare. */
export async function askId(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<string | Obstacle> {
  return await onDatabase(config, run, tell, stop, databaseId)
}

type Rows = Sight['rows']

/** One connection. That there is none at the moment is an obstacle; whatever waiting cannot mend is thrown. */
async function onDatabase<T>(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
  ask: (session: Session, rows: Rows | undefined, user: string) => Promise<T>,
): Promise<T | Obstacle> {
  const wanted = { ...config, pooler: 'allow', connectWaitMs: 0, mayBeStandby: true } as const
  const tellAll: Tell = (event) => {
    if (event.checkpoint === 'database') tell(event)
  }
  await using connecting = new Connecting(wanted, run, tellAll, stop)
  try {
    const { session, seen: looked } = await connecting.result
    return await ask(session, looked.ledger?.rows, looked.user)
  } catch (error) {
    stop.throwIfAborted()
    const failure = asFailure(error)
    if (!['DATABASE_UNREACHABLE', 'DATABASE_MISSING', 'CONNECTION_LOST'].includes(failure.code))
      throw failure
    return { reason: failure.message, more: failure.more }
  }
}

function seen({ id, state, exitCode, reason, fileBegun, agoMs, pod }: RunRow): SeenRun {
  return {
    id,
    state,
    exit: exitCode ?? undefined,
    error: reason ?? undefined,
    detail: fileBegun === null ? undefined : `in ${fileBegun}`,
    isOurs: true,
    agoMs,
    logs: pod !== null && /^[a-z0-9][a-z0-9.-]*$/.test(pod) ? `kubectl logs ${pod}` : undefined,
  }
}
