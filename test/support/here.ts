import { randomBytes } from 'node:crypto'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/failure.ts'
import type { Event, Tell } from '../../src/events.ts'
import { migrate } from '../../src/migrate.ts'
import { lineOf } from '../../src/report/lines.ts'

/** How a run ended, and all that it said, a line each. */
export interface RanHere {
  /** Undefined after a success. */
  readonly failure: Failure | undefined
  readonly said: string
}

export interface RunningHere {
  /** Of the run, as the name of its session has it. */
  readonly id: string
  readonly ended: Promise<RanHere>
  stop(reason: Failure): void
}

type Env = Readonly<Record<string, string>>

/**
 * Runs `migrate` in this process, where somebody watches: a run after a failed one does not rest, and
 * whatever the driver throws from a timer fails the test.
 */
export function startHere(env: Env, heard: Tell = () => undefined): RunningHere {
  const config = readConfig(env)
  const events: Event[] = []
  const tell: Tell = (event) => {
    events.push(event)
    heard(event)
  }
  const id = randomBytes(4).toString('hex')
  const stopping = new AbortController()
  const ended = migrate(config, { id, pod: 'test', isAttended: true }, tell, stopping.signal)
    .then(() => undefined)
    .catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error
      tell({ checkpoint: 'failed', failure: error })
      return error
    })
    .then((failure) => ({ failure, said: events.map(textOf).join('\n') }))
  return { id, ended, stop: (reason) => stopping.abort(reason) }
}

export async function runHere(env: Env, heard?: Tell): Promise<RanHere> {
  return await startHere(env, heard).ended
}

function textOf(event: Event): string {
  const { text, more } = lineOf(event)
  return [`${event.checkpoint} ${text}`, ...more].join('\n')
}
