import type { Difference } from './differences.ts'
import { failures } from './errors.ts'
import { Failure } from './failure.ts'
import { baselineName } from './files/baseline.ts'
import type { FileProblem } from './files/directive-problems.ts'
import { noDirectives, lineOf } from './files/directives.ts'
import { rules, type Rule } from './files/findings.ts'
import { lookIntoFolder, type Migration } from './files/folder.ts'
import type { PlacedFinding } from './files/script.ts'
import { headerOf, scriptOf } from './files/text.ts'
import { failureDocument, type FailureDocument } from './refusals.ts'

export const checkFormats = ['text', 'json', 'github'] as const
export type CheckFormat = (typeof checkFormats)[number]

/** All that can be said of a folder without a database. `docs/files.md` describes it. */
export interface CheckDocument {
  readonly dir: string
  readonly files: number
  /** What is wrong with the folder itself, so that no file was looked into. */
  readonly failure: FailureDocument | undefined
  readonly findings: readonly FileFinding[]
  /** Where what `baseline.sql` builds is not what the files build. */
  readonly differences: readonly Difference[]
  /** How much of two databases was compared; undefined where no baseline was to be proven. */
  readonly compared: { readonly objects: number; readonly tables: number } | undefined
}

export interface FileFinding {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly rule: Rule
  readonly severity: 'error' | 'warning'
  readonly reason: string
  readonly remedy: string
}

/** Reads a folder as a run does, and looks into each file, applied or not. */
export async function check(dir: string, maxBytes: number): Promise<CheckDocument> {
  try {
    const { baseline, files, problems } = await lookIntoFolder(dir, maxBytes)
    const built = baseline && scriptOf(baseline.text, noDirectives).findings
    const findings = [
      ...(built ?? []).map((one) => told(baselineName, one)),
      ...files.flatMap((file) => findingsIn(file, problems)),
    ]
    return { dir, files: files.length, failure: undefined, findings, ...nothingCompared }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { dir, files: 0, failure: failureDocument(error), findings: [], ...nothingCompared }
  }
}

const nothingCompared = { differences: [], compared: undefined } as const

function findingsIn(file: Migration, problems: readonly FileProblem[]): FileFinding[] {
  const { findings } = scriptOf(file.text, file.directives)
  const found = findings.map((finding) => told(file.file, finding))
  const own = problems.filter((problem) => problem.file === file.file).map(misdirected)
  return [...own, ...warningsOf(file), ...found].toSorted(
    (a, b) => a.line - b.line || a.column - b.column,
  )
}

function misdirected({ file, line, column, kind, what }: FileProblem): FileFinding {
  const { todo } = failures[kind === 'unknown' ? 'DIRECTIVE_UNKNOWN' : 'DIRECTIVE_INVALID']
  const rule = 'directive'
  return { file, line, column, rule, severity: rules[rule], reason: what, remedy: todo }
}

function warningsOf({ file, text, directives }: Migration): FileFinding[] {
  const { breaksBefore, afterRollout } = directives
  if (breaksBefore === undefined || afterRollout) return []
  return [
    {
      file,
      line: lineOf(headerOf(text), 'breaks-before'),
      column: 1,
      rule: 'breaks-while-rolling',
      severity: rules['breaks-while-rolling'],
      reason: 'older pods that are started anew during the rollout are refused from this file on',
      remedy: 'add “-- lockstep: after-rollout”, unless that is meant',
    },
  ]
}

function told(file: string, finding: PlacedFinding): FileFinding {
  const { line, column, rule, reason, remedy } = finding
  return { file, line, column, rule, severity: rules[rule], reason, remedy }
}

/** Whether a run would be refused. */
export function isRefused(document: CheckDocument): boolean {
  return exitOf(document) !== 0
}

/** With what `check` ends: as a run would, that is refused before it has begun. */
export function exitOf({ failure, findings }: CheckDocument): number {
  if (failure !== undefined) return failures[failure.code].exit
  return findings.some(({ severity }) => severity === 'error') ? 1 : 0
}
