import type { Entry } from './files/entry.ts'
import type { Folder } from './files/folder.ts'
import { coveredFiles, isSame, knownEntries, matchRows, strangers } from './matching.ts'
import { damaged, ofAnother } from './objections.ts'
import { stepDone, type Recorded } from './recorded.ts'
import { refused, type Refused } from './refusals.ts'

/** What is to be taken over as it is, one thing at a time. */
export type Adoptable =
  | { readonly what: 'baseline' }
  | { readonly what: 'upto'; readonly version: bigint }
  | { readonly what: 'file' | 'forget'; readonly name: string }

/** What is written into the ledger; no SQL of a file runs. */
export interface Adoption {
  readonly kind: 'adoption'
  /** Files that get a row. */
  readonly records: readonly Entry[]
  /** Id of the last row, 0 where there is none. */
  readonly head: number
  readonly over: readonly number[]
  /** A row that gets one more meaning. */
  readonly meaning: { readonly id: number; readonly meaning: string } | undefined
  /** The file whose steps are dropped. */
  readonly forgets: string | undefined
  /** For people, a line each. */
  readonly lines: readonly string[]
}

/** Files and ledger -> what `adopt` writes, or why that cannot be. Pure. */
export function adoptionOf(
  folder: Folder,
  recorded: Recorded,
  adoptable: Adoptable,
): Adoption | Refused {
  const known = knownEntries(folder, recorded.rows)
  const matched = matchRows(known, recorded.rows)
  const refusal = damaged(recorded.rows) ?? ofAnother(folder, recorded.rows, matched)
  if (refusal !== undefined) return refusal
  const { ahead, missing } = strangers(recorded.rows, new Set(matched.values()))
  const nothing = {
    kind: 'adoption',
    records: [],
    head: recorded.rows.at(-1)?.id ?? 0,
    over: [...ahead, ...missing].map(({ id }) => id).toSorted((a, b) => a - b),
    meaning: undefined,
    forgets: undefined,
  } as const
  const record = (entries: readonly Entry[]): Adoption => {
    const records = entries.filter((entry) => !matched.has(entry))
    return { ...nothing, records, lines: records.map(({ file }) => `records ${file} as applied`) }
  }
  switch (adoptable.what) {
    case 'baseline':
      return ofBaseline(folder, known, record)
    case 'upto': {
      const { version } = adoptable
      if (known.some((entry) => entry.version === version))
        return record(known.filter((entry) => entry.version <= version))
      return invalid(`there is no file of version ${version} in ${folder.dir}`)
    }
    case 'file': {
      const file = folder.files.find(({ file: name }) => name === adoptable.name)
      if (file === undefined) return invalid(`there is no ${adoptable.name} in ${folder.dir}`)
      const row = matched.get(file)
      if (row === undefined)
        return invalid(
          `${file.file} is not applied: lockstep adopt --upto records files as applied`,
        )
      if (isSame(file, row)) return { ...nothing, lines: [] }
      const lines = [`takes ${file.file} as it is now for what was applied under this name`]
      return { ...nothing, meaning: { id: row.id, meaning: file.meaning.file }, lines }
    }
    case 'forget': {
      const { name } = adoptable
      const steps = recorded.steps.filter(({ file }) => file === name)
      if (steps.length === 0) return invalid(`nothing of ${name} is half done`)
      const lines = [
        `forgets what was done of ${name}: the next run begins it at its first statement`,
        ...steps.map(({ ordinal, state, meaning }) => {
          const did = state === stepDone ? 'is done, and stays in the database' : 'was begun'
          return `statement ${ordinal} (${meaning.slice(0, 12)}) ${did}`
        }),
      ]
      return { ...nothing, forgets: name, lines }
    }
  }
}

function ofBaseline(
  { dir, files, baseline }: Folder,
  known: readonly Entry[],
  record: (entries: readonly Entry[]) => Adoption,
): Adoption | Refused {
  if (baseline === undefined) return invalid(`there is no baseline.sql in ${dir}`)
  const { covers, upto } = baseline
  if (covers === undefined) return record(files.filter(({ version }) => version <= upto))
  const standFor = coveredFiles(files, covers)
  const others = [...standFor].filter(([file, entry]) => file.meaning.file !== entry.meaning.file)
  if (others.length > 0)
    return refused(
      'FILE_CHANGED',
      others.map(([{ file }]) => `${file} is not as baseline.sql covers it`),
    )
  const here = new Set<Entry>(files)
  const covered = new Set<Entry>(standFor.keys())
  return record(known.filter((entry) => covered.has(entry) || !here.has(entry)))
}

function invalid(problem: string): Refused {
  return refused('ADOPT_INVALID', [problem])
}
