import { count } from '../phrases.ts'
import type { PlanDocument } from '../plan.ts'
import { printable } from '../printable.ts'
import { rehearsalText } from './rehearsal-text.ts'

const modes = {
  baseline: 'one transaction',
  transaction: 'one transaction',
  statements: 'statement by statement',
} as const

/** The document for people, a line a file. Pure. */
export function planText({
  database,
  phase,
  work,
  later,
  notes,
  failure,
  rehearsal,
}: PlanDocument): string {
  const width = Math.max(0, ...work.map(({ file }) => file.length))
  const files = work.map(({ file, mode, statements, covers, directives, begunAs }) =>
    [
      `  ${file.padEnd(width)}  ${modes[mode]}, ${count(statements, 'statement')}`,
      ...(covers.length > 0 ? [`stands for ${count(covers.length, 'file')}`] : []),
      ...directives,
      ...(begunAs === undefined ? [] : [`begun as ${begunAs}`]),
    ].join('; '),
  )
  const what =
    failure === undefined
      ? [work.length === 0 ? 'nothing would run' : `${count(work.length, 'file')} would run`]
      : [`lockstep migrate would refuse: ${failure.code}`, failure.message, ...failure.more]
  return [
    database + (phase === undefined ? '' : `, phase ${phase}`),
    '',
    ...files,
    ...(files.length > 0 ? [''] : []),
    ...what,
    ...(later.length > 0 ? [`not due in this phase: ${later.join(', ')}`] : []),
    ...notes,
    ...(rehearsal === undefined ? [] : ['', ...rehearsalText(rehearsal)]),
  ]
    .map((line) => `${printable(line)}\n`)
    .join('')
}
