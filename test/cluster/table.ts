import type { TestEvent } from 'node:test/reporters'

/**
 * A line for each check with what came of it and the suite that it is of, such as a version of Helm, and the
 * figures that tests have noted.
 *
 * @param show - told a dot or a failure as each test ends
 */
export async function table(
  events: AsyncIterable<TestEvent>,
  show: (progress: string) => void,
): Promise<{ text: string; isGreen: boolean }> {
  const lines: { result: string; seconds: number; name: string }[] = []
  /** How many lines there were when the last suite ended: a suite is told behind its tests. */
  let ofSuites = 0
  const notes: string[] = []
  for await (const { type, data } of events) {
    // Those at the outermost level are figures of the runner.
    if (type === 'test:diagnostic' && data.nesting > 0) notes.push(data.message)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const { name, skip, details } = data
    if (type === 'test:pass') show('.')
    else show(`\nFAILED ${name}\n${causeOf(data.details)}\n`)
    if (details.type === 'suite') {
      for (const line of lines.slice(ofSuites)) line.name += ` [${name}]`
      ofSuites = lines.length
      continue
    }
    const isSkipped = skip !== undefined && skip !== false
    const result = isSkipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'FAILED'
    const why = typeof skip === 'string' ? ` (${skip})` : ''
    lines.push({ result, seconds: details.duration_ms / 1000, name: `${name}${why}` })
    // Outside of any suite.
    if (data.nesting === 0) ofSuites = lines.length
  }
  const sorted = lines
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .map(({ result, seconds, name }) => {
      return `${result.padEnd(8)}${`${seconds.toFixed(1)} s`.padStart(8)}  ${name}`
    })
  const isGreen = lines.length > 0 && lines.every(({ result }) => result !== 'FAILED')
  return { text: `\n${[...sorted, ...notes].join('\n')}`, isGreen }
}

function causeOf({ error }: { readonly error: Error }): string {
  return error.cause instanceof Error ? (error.cause.stack ?? '') : error.message
}
