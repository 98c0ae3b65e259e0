import { type FailureCode } from '../../src/errors.ts'
import { Failure } from '../../src/failure.ts'
import type { Event } from '../../src/events.ts'
import { openLog } from '../../src/report/log.ts'

// Says events in a process of its own, whose output a test can read: the log writes to a descriptor.
//
//   node say.ts FORMAT LEVEL FD terminal|file EVENTS
//
// EVENTS is JSON; a failure in it is [code, message, ...more].

const [format = '', level = '', fd = '', kind = '', json = ''] = process.argv.slice(2)

function revive(key: string, value: unknown): unknown {
  if (key !== 'failure' || !Array.isArray(value)) return value
  const [code, message, ...more] = value.map(String)
  // oxlint-disable-next-line no-unsafe-type-assertion -- the test that asks writes a code
  return new Failure(code as FailureCode, message ?? '', more)
}

const tell = await openLog(
  {
    format: format === 'json' ? 'json' : 'pretty',
    level: level === 'error' || level === 'warn' || level === 'debug' ? level : 'info',
  },
  'cafe0123',
  { fd: fd === '2' ? 2 : 1, isTerminal: kind === 'terminal' },
)
const events: Event[] = JSON.parse(json, revive)
for (const event of events) tell(event)
