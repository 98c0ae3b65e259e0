import type { Logger, pino as Pino } from 'pino'
import type { LogConfig } from '../config.ts'
import type { Event, Tell } from '../events.ts'
import { printable } from '../printable.ts'
import { fit } from './fit.ts'
import { isoTime } from './iso-time.ts'
import { lineOf } from './lines.ts'

/** Google Cloud's names; Loki and Datadog read `level`, which must be a word for them. */
const severities: Readonly<Record<string, string>> = {
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
}

export interface LogTarget {
  /** Descriptor: 1 for lines that are the output, 2 beside another output. */
  readonly fd: 1 | 2
  readonly isTerminal: boolean
}

/**
 * Writes one line an event: JSON for a cluster, readable lines for people.
 *
 * The destination is synchronous, the only kind that lost no line at exit, throw or SIGKILL. pino is
 * loaded here, so that the connection is under way meanwhile.
 */
export async function openLog(config: LogConfig, run: string, target: LogTarget): Promise<Tell> {
  if (config.format === 'pretty') return openPretty(config, target)
  const { pino } = await import('pino')
  const log = jsonLog(pino, config, target)
  return (event) => {
    const { level, text, more } = lineOf(event)
    const message = `${event.checkpoint} ${text}`
    log[level](
      fit({
        message: printable(message),
        checkpoint: event.checkpoint,
        run,
        ...fieldsOf(event),
        // What stands below an applied file is for people: its effects are among the fields.
        ...(more.length > 0 && event.checkpoint !== 'applied' ? { more: more.map(printable) } : {}),
      }),
    )
  }
}

function jsonLog(pino: typeof Pino, config: LogConfig, { fd }: LogTarget): Logger {
  // As `dest`: without it pino asks for the stream of stdout, which takes a millisecond to make.
  const destination = pino.destination({ dest: fd, sync: true })
  // A disk that is full, a reader that is gone: the run goes on.
  destination.on('error', () => undefined)
  return pino(
    {
      level: config.level,
      base: null,
      timestamp: () => `,"time":"${isoTime(new Date())}"`,
      formatters: { level: (level) => ({ level, severity: severities[level] }) },
    },
    destination,
  )
}

/** `pino-pretty` is loaded here only: a pod never pays for it. */
async function openPretty(config: LogConfig, { fd, isTerminal }: LogTarget): Promise<Tell> {
  const { pino } = await import('pino')
  const { prettyStream } = await import('./pretty.ts')
  const log = pino(
    { level: config.level, base: null, timestamp: false },
    prettyStream(fd, isTerminal),
  )
  let width = 0
  return (event) => {
    if (event.checkpoint === 'plan') {
      const longest = Math.max(0, ...event.pending.map((file) => file.length))
      width = longest
    }
    const { level, text, more } = lineOf(event, width)
    const [first, ...others] = [text, ...more].map((line) => printable(clipped(line)))
    log[level](
      [
        `${event.checkpoint.padEnd(indent)}${first}`,
        ...others.map((line) => ' '.repeat(indent) + line),
      ].join('\n'),
    )
  }
}

const indent = 11
const longestLine = 2_000

function clipped(line: string): string {
  return line.length > longestLine ? `${line.slice(0, longestLine).toWellFormed()}…` : line
}

/** What machines read: an allow-list by the type of the event; errors are taken apart by name. */
function fieldsOf(event: Event): Record<string, unknown> {
  const { checkpoint: _, ...fields } = event
  if ('failure' in fields) {
    const { code, exit } = fields.failure
    return { code, exit, retryHelps: exit === 75 }
  }
  if (event.checkpoint === 'waiting') return { waitedMs: round(event.waitedMs) }
  if (event.checkpoint === 'note' || event.checkpoint === 'warning') return {}
  if (event.checkpoint === 'done') return doneFields(event)
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'number' ? round(value) : value,
    ]),
  )
}

function doneFields({
  outcome,
  durationMs,
}: Extract<Event, { checkpoint: 'done' }>): Record<string, unknown> {
  const { kind } = outcome
  if (kind === 'failed')
    return {
      outcome: kind,
      code: outcome.failure.code,
      exit: outcome.failure.exit,
      durationMs: round(durationMs),
    }
  const { kind: _, ...counts } = outcome
  return { outcome: kind, ...counts, exit: 0, durationMs: round(durationMs) }
}

function round(number: number): number {
  return Math.round(number)
}
