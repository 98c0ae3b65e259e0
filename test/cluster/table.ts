import type { TestEvent } from 'node:test/reporters'

/** A reporter: failures as they come, and at the end a line for each check with what came of it. */
export default async function* table(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const lines: string[] = []
  const notes: string[] = []
  for await (const event of events) {
    // Those at the outermost level are figures of the runner.
    if (event.type === 'test:diagnostic' && event.data.nesting > 0) notes.push(event.data.message)
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { name, skip, details } = event.data
    if (details.type === 'suite') continue
    const seconds = `${(details.duration_ms / 1000).toFixed(1)} s`.padStart(8)
    const result =
      skip === undefined || skip === false
        ? event.type === 'test:pass'
          ? 'passed'
          : 'FAILED'
        : 'skipped'
    const why = typeof skip === 'string' ? ` (${skip})` : ''
    lines.push(`${result.padEnd(8)}${seconds}  ${name}${why}`)
    if (event.type === 'test:pass') yield '.'
    else {
      const error = event.data.details.error
      yield `\nFAILED ${name}\n${String(error.cause instanceof Error ? error.cause.stack : error)}\n`
    }
  }
  const sorted = lines.toSorted((a, b) =>
    nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }),
  )
  yield `\n${[...sorted, ...notes].join('\n')}\n`
}

function nameOf(line: string): string {
  return line.slice(18)
}
