import type { Plan } from './decide.ts'
import { allowancesOf } from './files/header.ts'
import type { Work } from './postgres/envelope.ts'

/** The transactions of a plan in order, each with the row that it follows. */
export function* worksOf(plan: Plan): Generator<Work> {
  let { head } = plan
  const { over } = plan
  if (plan.baseline !== undefined) {
    yield {
      file: 'baseline.sql',
      text: plan.baseline.text,
      earns: plan.covered,
      how: 'baseline',
      head,
      over,
      allowances: [],
    }
    head += plan.covered.length
  }
  for (const file of plan.pending) {
    yield {
      file: file.file,
      text: file.text,
      earns: [file],
      how: 'transaction',
      head,
      over,
      allowances: allowancesOf(file.text),
    }
    head += 1
  }
}
