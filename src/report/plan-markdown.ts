import { count, duration } from '../phrases.ts'
import type { PlanDocument } from '../plan.ts'
import { printable } from '../printable.ts'
import type { FileRehearsal, Rehearsal } from '../rehearsal.ts'
import { effectsText } from './effects-text.ts'
import { locksText, telling, walText } from './rehearsal-text.ts'

/** The document for a pull request. Pure. */
export function planMarkdown(document: PlanDocument): string {
  const { work, later, notes, failure, rehearsal } = document
  return [
    `### ${failure === undefined ? headline(document) : 'lockstep migrate would refuse'}`,
    '',
    ...(failure === undefined ? [] : failureLines(failure)),
    ...(work.length === 0 || rehearsal !== undefined
      ? []
      : table(
          ['file', 'statements', 'directives'],
          work.map(({ file, statements, directives }) => [
            code(file),
            String(statements),
            directives.map(code).join(' '),
          ]),
        )),
    ...(rehearsal === undefined ? [] : rehearsalLines(rehearsal)),
    ...(later.length > 0 ? [`Not due in this phase: ${later.map(code).join(', ')}`, ''] : []),
    ...notes.map((note) => `- ${note}`),
  ]
    .map((line) => `${printable(line)}\n`)
    .join('')
}

function headline({ work, rehearsal }: PlanDocument): string {
  const files = work.length === 0 ? 'Nothing' : count(work.length, 'file')
  const failed = rehearsal?.files.find(({ failure }) => failure !== undefined)
  if (failed !== undefined) return `${failed.file} would not be applied`
  return `${files} would run${rehearsal === undefined ? '' : ', rehearsed and rolled back'}`
}

function rehearsalLines({ files, notRehearsed }: Rehearsal): string[] {
  const rows = files.map((file) => [
    code(file.file),
    file.verdict,
    duration(file.durationMs),
    walText(file.walBytes),
    (file.effects === undefined ? [] : effectsText(file.effects, file.allowed)).join('<br>'),
  ])
  const skipped = notRehearsed.map(({ file, why }) => [code(file), 'not rehearsed', '', '', why])
  return [
    ...table(['file', 'verdict', 'time', 'write-ahead log', 'what it does'], [...rows, ...skipped]),
    ...files.flatMap(detailLines),
  ]
}

function detailLines(file: FileRehearsal): string[] {
  const { failure, unneeded } = file
  const rows = telling(file.statements).map(({ line, tag, durationMs, locks }) => [
    String(line),
    code(tag),
    duration(durationMs),
    locksText(locks).join('<br>'),
  ])
  return [
    ...(failure === undefined ? [] : [`**${code(file.file)}**`, '', ...failureLines(failure)]),
    ...(rows.length === 0
      ? []
      : [
          `Statements of ${code(file.file)} that others notice:`,
          '',
          ...table(['line', 'statement', 'time', 'locks, until the end of the file'], rows),
        ]),
    ...unneeded.flatMap((allowance) => [
      `- ${code(file.file)}: nothing needs ${code(allowance)}`,
      '',
    ]),
  ]
}

function failureLines({
  message,
  more,
}: {
  readonly message: string
  readonly more: readonly string[]
}): string[] {
  return ['```', message, ...more, '```', '']
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [tableLine(head), `|${'---|'.repeat(head.length)}`, ...rows.map(tableLine), '']
}

function tableLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
}

function code(text: string): string {
  return `\`${text.replaceAll('`', '')}\``
}
