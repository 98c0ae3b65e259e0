import { exitOf, type CheckDocument, type CheckFormat, type FileFinding } from '../check.ts'
import { count } from '../phrases.ts'

/** What `lockstep check` prints. Pure. */
export function checkText(document: CheckDocument, format: CheckFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`
    case 'github':
      return annotations(document)
        .map((line) => `${line}\n`)
        .join('')
    case 'text':
      return linesOf(document)
        .map((line) => `${line}\n`)
        .join('')
  }
}

const inset = ' '.repeat(11)

function linesOf(document: CheckDocument): string[] {
  const { dir, files, failure, findings, compared } = document
  if (failure !== undefined) {
    const { code, message, more } = failure
    return [
      `refused    ${message}`,
      ...more.map((line) => `${inset}${line}`),
      `done       ${code}, exit ${exitOf(document)}`,
    ]
  }
  const found = findings.flatMap((finding) => [
    `${finding.severity.padEnd(10)} ${placeOf(finding)} ${finding.reason}`,
    `${inset}${finding.remedy} (${finding.rule})`,
  ])
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const end = errors === 0 ? 'nothing to refuse' : `${count(errors, 'place')} to mend`
  const equal =
    compared === undefined
      ? []
      : [
          `equal      baseline.sql builds what the files build: ${count(compared.objects, 'object')}, and the rows of ${count(compared.tables, 'table')}`,
        ]
  return [
    ...found,
    ...equal,
    `done       ${count(files, 'file')} in ${dir}: ${end}, exit ${exitOf(document)}`,
  ]
}

function placeOf({ file, line, column }: FileFinding): string {
  return `${file}:${line}:${column}`
}

/** Commands of a workflow: GitHub shows each at its line of the pull request. */
function annotations({ dir, failure, findings }: CheckDocument): string[] {
  if (failure !== undefined) {
    const { code, message, more } = failure
    return [`::error title=${code}::${data([message, ...more].join('\n'))}`]
  }
  return findings.map(({ file, line, column, rule, severity, reason, remedy }) => {
    const path = property(`${dir}/${file}`)
    return `::${severity} file=${path},line=${line},col=${column},title=${rule}::${data(`${reason}; ${remedy}`)}`
  })
}

/** As GitHub's own toolkit escapes them. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
