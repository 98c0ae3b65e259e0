import type { Migration } from './files/folder.ts'
import { count } from './phrases.ts'
import { stepDone, type Step } from './recorded.ts'
import { refused, type Refused } from './refusals.ts'

/** What becomes of files that were begun statement by statement and not finished. */
export interface HalfDone {
  /** Files to run that go on where a run before stopped. */
  readonly begun: ReadonlySet<Migration>
  /** Steps under another name that are those of a file to run. */
  readonly takeOvers: readonly TakeOver[]
  /** Statements that are done were edited. */
  readonly refusal: Refused | undefined
  readonly notes: readonly string[]
}

export interface TakeOver {
  readonly from: string
  readonly to: string
}

/**
 * Steps belong to the file to run of their name, or to one without steps that begins with the same
 * statements (renumbered); as with rows, content goes before name. A file that is not due in this
 * phase may wait with its steps, whatever it says now.
 */
export function halfDoneOf(
  now: readonly Migration[],
  later: readonly Migration[],
  steps: readonly Step[],
): HalfDone {
  const begun = new Set<Migration>()
  const takeOvers: TakeOver[] = []
  const problems: string[] = []
  const notes: string[] = []
  const left = Map.groupBy(steps, ({ file }) => file)
  const byName = new Map(now.map((file) => [file.file, file]))
  for (const [name, own] of left) {
    const file = byName.get(name)
    if (file === undefined || editedStep(file, own) !== undefined) continue
    begun.add(file)
    left.delete(name)
  }
  for (const [name, own] of left) {
    const other = now.find(
      (file) => file.directives.noTransaction && !begun.has(file) && beginsWith(file, own),
    )
    if (other !== undefined) {
      begun.add(other)
      takeOvers.push({ from: name, to: other.file })
      notes.push(`${other.file} was begun as ${name}: it goes on there, ${progress(own)}`)
      continue
    }
    const file = byName.get(name)
    if (file === undefined && later.some((each) => each.file === name)) {
      notes.push(`${name} is half done, ${progress(own)}; it goes on in its phase`)
      continue
    }
    if (file === undefined) {
      notes.push(`${name} of another image is half done: ${progress(own)}; this folder lacks it`)
      continue
    }
    begun.add(file)
    problems.push(
      `${name} was edited while half done: statement ${editedStep(file, own)?.ordinal} differs and is done already`,
    )
  }
  const refusal = problems.length === 0 ? undefined : refused('FILE_CHANGED', problems, waysBack)
  return { begun, takeOvers, refusal, notes }
}

const waysBack = [
  'restore the statements that are done, and edit only those to come,',
  'or undo by hand what they did, and begin again: lockstep adopt --forget NAME',
]

/** A step that is done and that the file has not at its place; one that only began may be mended. */
function editedStep(file: Migration, steps: readonly Step[]): Step | undefined {
  const { statements } = file.meaning
  return steps.find(
    ({ ordinal, meaning, state }) => state === stepDone && statements[ordinal - 1] !== meaning,
  )
}

function beginsWith(file: Migration, steps: readonly Step[]): boolean {
  const { statements } = file.meaning
  return steps.every(({ ordinal, meaning }) => statements[ordinal - 1] === meaning)
}

function progress(steps: readonly Step[]): string {
  const done = steps.filter(({ state }) => state === stepDone).length
  return `${count(done, 'statement')} done`
}
