import { randomBytes } from 'node:crypto'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/errors.ts'
import type { Event } from '../../src/events.ts'
import { migrate } from '../../src/migrate.ts'

const never = new AbortController().signal

export interface RanHere {
  readonly exit: number
  /** Undefined after a success. */
  readonly code: string | undefined
  readonly said: string
}

/** One run in this process, so that whatever the driver throws from a timer fails the test. */
export async function runHere(
  env: Readonly<Record<string, string>>,
  heard: (event: Event) => void = () => undefined,
  id = randomBytes(4).toString('hex'),
): Promise<RanHere> {
  const config = readConfig({ LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_CONNECT_WAIT: '10s', ...env })
  const events: Event[] = []
  const tell = (event: Event): void => {
    events.push(event)
    heard(event)
  }
  const failure = await migrate(config, { id, pod: 'test', isAttended: true }, tell, never)
    .then(() => undefined)
    .catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error
      tell({ checkpoint: 'failed', failure: error })
      return error
    })
  const said = [
    ...events.map((event) => JSON.stringify(event)),
    ...(failure === undefined ? [] : [failure.message, ...failure.more]),
  ]
  return { exit: failure?.exit ?? 0, code: failure?.code, said: said.join('\n') }
}
