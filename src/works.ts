import type { Plan } from './decide.ts'
import { Failure } from './errors.ts'
import { placeBehind } from './files/bytes.ts'
import { forMajor } from './files/dump.ts'
import { noDirectives, type Directives } from './files/directives.ts'
import { isError, type Finding } from './files/findings.ts'
import { readScript } from './files/script.ts'
import type { Work } from './postgres/envelope.ts'

export interface PlannedWork extends Work {
  /** What of the file is left out, for people. */
  readonly notes: readonly string[]
  /** What speaks against running it, each with its place. */
  readonly problems: readonly string[]
}

/**
 * The transactions of a plan in order, each with the row that it follows.
 *
 * @param major - of the server
 */
export function worksOf(plan: Plan, major = Infinity): PlannedWork[] {
  const { baseline, covered, pending, over } = plan
  const works: PlannedWork[] = []
  let { head } = plan
  const add = (
    file: string,
    text: string,
    directives: Directives,
    { earns, how }: Pick<Work, 'earns' | 'how'>,
  ): void => {
    const { findings, modes, notes, onlyRows, text: sent } = readScript(text, directives)
    const problems = findings.filter(isError).map((finding) => said(file, text, finding))
    const { lockTimeoutMs = onlyRows ? 0 : undefined, statementTimeoutMs } = directives
    const timeouts = { lockTimeoutMs, statementTimeoutMs }
    works.push({ file, text: sent, modes, ...timeouts, earns, how, head, over, notes, problems })
    head += earns.length
  }
  if (baseline !== undefined) {
    const text = forMajor(baseline.text, major)
    add('baseline.sql', text, noDirectives, { earns: covered, how: 'baseline' })
  }
  for (const file of pending) {
    const how = file.directives.noTransaction ? 'statements' : 'transaction'
    add(file.file, file.text, file.directives, { earns: [file], how })
  }
  return works
}

/** @throws {Failure} STATEMENT_REFUSED, with all places of all files */
export function refuseUnfit(works: readonly PlannedWork[]): void {
  const failure = unfit(works)
  if (failure !== undefined) throw failure
}

/** Why files cannot be run as they are. */
export function unfit(works: readonly PlannedWork[]): Failure | undefined {
  const [first, ...others] = works.flatMap(({ problems }) => problems)
  if (first === undefined) return undefined
  const { more } = new Failure('STATEMENT_REFUSED', '')
  return new Failure('STATEMENT_REFUSED', first, [...others, ...more])
}

function said(file: string, text: string, { at, reason, remedy }: Finding): string {
  const { line, column } = placeBehind(text.slice(0, at))
  return `${file}:${line}:${column} ${reason}; ${remedy}`
}
