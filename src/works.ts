import type { Plan } from './decide.ts'
import { forMajor } from './files/dump.ts'
import type { Work } from './postgres/envelope.ts'

/**
 * The transactions of a plan in order, each with the row that it follows.
 *
 * @param major - of the server
 */
export function* worksOf(plan: Plan, major = Infinity): Generator<Work> {
  let { head } = plan
  const { over } = plan
  if (plan.baseline !== undefined) {
    yield {
      file: 'baseline.sql',
      text: forMajor(plan.baseline.text, major),
      earns: plan.covered,
      how: 'baseline',
      head,
      over,
    }
    head += plan.covered.length
  }
  for (const file of plan.pending) {
    const how = file.directives.noTransaction ? 'statements' : 'transaction'
    yield { file: file.file, text: file.text, earns: [file], how, head, over }
    head += 1
  }
}
