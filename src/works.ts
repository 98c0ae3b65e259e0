import type { Plan } from './decide.ts'
import { failureOfAll, type Failure } from './failure.ts'
import { newerThan } from './files/dump.ts'
import { noDirectives, type Directives } from './files/directives.ts'
import { isError } from './files/findings.ts'
import { saidOf } from './files/script.ts'
import type { Statement } from './files/statements.ts'
import { headOf, scriptOf, without, type Text } from './files/text.ts'
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
    whole: Text,
    directives: Directives,
    { earns, how }: Pick<Work, 'earns' | 'how'>,
    unknown: readonly Statement[] = [],
  ): void => {
    const { findings, modes, notes, onlyRows, blanked } = scriptOf(whole, directives)
    const text = without(whole, [...unknown, ...blanked])
    const problems = findings.filter(isError).map((finding) => saidOf(file, finding))
    const { lockTimeoutMs = onlyRows ? 0 : undefined, statementTimeoutMs, allowances } = directives
    const terms = { lockTimeoutMs, statementTimeoutMs, allowances }
    works.push({ file, text, modes, ...terms, earns, how, head, over, notes, problems })
    head += earns.length
  }
  if (baseline !== undefined) {
    const { text } = baseline
    const unknown = newerThan(major, headOf(text))
    add('baseline.sql', text, noDirectives, { earns: covered, how: 'baseline' }, unknown)
  }
  for (const file of pending) {
    const how = file.directives.noTransaction ? 'statements' : 'transaction'
    add(file.file, file.text, file.directives, { earns: [file], how })
  }
  return works
}

/** Why files cannot be run as they are: STATEMENT_REFUSED, with all places of all files. */
export function unfit(works: readonly PlannedWork[]): Failure | undefined {
  const problems = works.flatMap((work) => work.problems)
  return problems.length === 0 ? undefined : failureOfAll('STATEMENT_REFUSED', problems)
}
