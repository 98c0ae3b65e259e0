import { randomBytes } from 'node:crypto'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/errors.ts'
import type { Event } from '../../src/events.ts'
import { migrate } from '../../src/migrate.ts'
import { lineOf } from '../../src/report/lines.ts'

/** How a run ended, and all that it said, a line each. */
export interface RanHere {
  readonly failure: Failure | undefined
  readonly said: string
}

export interface RunningHere {
  /** Of the run, as the name of its session has it. */
  readonly id: string
  readonly ended: Promise<RanHere>
  stop(reason: Failure): void
}

/**
 * Runs `migrate` in this process, where somebody watches: a run after a failed one does not rest, and
 * whatever the driver throws from a timer fails the test.
 */
export function startHere(
  url: string,
  dir: string,
  env: Readonly<Record<string, string>> = {},
): RunningHere {
  const config = readConfig({ DATABASE_URL: url, LOCKSTEP_DIR: dir, ...env })
  const events: Event[] = []
  const id = randomBytes(4).toString('hex')
  const stopping = new AbortController()
  const run = { id, pod: 'test', isAttended: true }
  const ended = migrate(config, run, (event) => events.push(event), stopping.signal)
    .then(() => undefined)
    .catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error
      events.push({ checkpoint: 'failed', failure: error })
      return error
    })
    .then((failure) => ({ failure, said: events.map(textOf).join('\n') }))
  return { id, ended, stop: (reason) => stopping.abort(reason) }
}

export async function runHere(
  url: string,
  dir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RanHere> {
  return await startHere(url, dir, env).ended
}

function textOf(event: Event): string {
  const { text, more } = lineOf(event)
  return [`${event.checkpoint} ${text}`, ...more].join('\n')
}
