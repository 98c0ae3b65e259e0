import { failureOfAll, type Failure } from '../failure.ts'
import type { Baseline } from './baseline.ts'
import { lineOf, versionProblem, type DirectiveProblem } from './directives.ts'
import { isError } from './findings.ts'
import { saidOf } from './script.ts'
import type { SqlFile } from './sql-file.ts'
import { headerOf, scriptOf } from './text.ts'

/** What is wrong with a directive of a file. */
export interface FileProblem extends DirectiveProblem {
  readonly file: string
}

/** All that is wrong with directives; what a version in them must be only the whole folder knows. */
export function directiveProblems(
  files: readonly SqlFile[],
  baseline: Baseline | undefined,
): FileProblem[] {
  const covers = baseline?.covers ?? []
  const versions = new Set([...files, ...covers].map(({ version }) => version))
  return files.flatMap(({ file, version, text, directives, problems }) => {
    const all = [...problems]
    const what = versionProblem(directives, version, versions)
    if (what !== undefined) {
      const line = lineOf(headerOf(text), 'breaks-before')
      all.push({ kind: 'invalid', what, line, column: 1 })
    }
    return all.map((problem) => ({ file, ...problem }))
  })
}

/** One report: whoever mends the directives need not come back for the statements. */
export function directivesFailure(
  files: readonly SqlFile[],
  problems: readonly FileProblem[],
): Failure {
  const isUnknown = problems.some(({ kind }) => kind === 'unknown')
  return failureOfAll(
    isUnknown ? 'DIRECTIVE_UNKNOWN' : 'DIRECTIVE_INVALID',
    files.flatMap(({ file, text, directives }) => [
      ...problems
        .filter((problem) => problem.file === file)
        .map(({ line, column, what }) => `${file}:${line}:${column} ${what}`),
      ...scriptOf(text, directives)
        .findings.filter(isError)
        .map((finding) => saidOf(file, finding)),
    ]),
  )
}
