import { count, duration } from '../phrases.ts'
import type { RehearsedStatement } from '../postgres/rehearse.ts'
import type { FileRehearsal, Rehearsal } from '../rehearsal.ts'
import { effectsText, short } from './effects-text.ts'

/** Those that others would notice, or that take long; the rest is in the JSON. */
const mostShown = 8
const slowMs = 100
const quietMode = 'ROW EXCLUSIVE'

/** What came of a rehearsal for people, below the plan. Pure. */
export function rehearsalText({ files, notRehearsed }: Rehearsal): string[] {
  return [
    'rehearsed, and rolled back:',
    ...files.flatMap((file) => ['', ...fileText(file)]),
    ...(notRehearsed.length > 0 ? [''] : []),
    ...notRehearsed.map(({ file, why }) => `  ${file} is not rehearsed: ${why}`),
  ]
}

function fileText(file: FileRehearsal): string[] {
  const { failure, unneeded, effects, allowed } = file
  const shown = telling(file.statements)
  const left = file.statements.length + file.moreStatements - shown.length
  return [
    `  ${file.file} ${file.verdict}: ${duration(file.durationMs)}, ${walText(file.walBytes)}`,
    ...(failure === undefined ? [] : [failure.message, ...failure.more]).map(
      (line) => `    ${line}`,
    ),
    ...(effects === undefined ? [] : effectsText(effects, allowed)).map((line) => `    ${line}`),
    ...shown.map(
      (statement) => `    line ${String(statement.line).padStart(4)}  ${statementText(statement)}`,
    ),
    ...(left > 0 && shown.length > 0 ? [`    and ${count(left, 'other statement')}`] : []),
    ...unneeded.map((allowance) => `    warning: nothing needs “${allowance}”`),
  ]
}

function statementText({ tag, durationMs, locks }: RehearsedStatement): string {
  return [`${tag}, ${duration(durationMs)}`, ...locksText(locks)].join('; ')
}

/** `ACCESS EXCLUSIVE on leads for 12 ms`, without those that hold nobody up but each other. */
export function locksText(locks: RehearsedStatement['locks']): string[] {
  return locks
    .filter(({ mode }) => mode !== quietMode)
    .map(({ table, mode, heldMs }) => `${mode} on ${short(table)} for ${duration(heldMs)}`)
}

/** The statements that people should see, in their order. */
export function telling(statements: readonly RehearsedStatement[]): readonly RehearsedStatement[] {
  return statements
    .filter(({ durationMs, locks }) => durationMs >= slowMs || locksText(locks).length > 0)
    .slice(0, mostShown)
}

/** `at most 24 kB of write-ahead log`. */
export function walText(bytes: number): string {
  const size =
    bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
  return `at most ${size} of write-ahead log`
}
