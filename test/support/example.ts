import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The worked example: its files by name, the baseline among them, and the names of all but that in order. */
const folder = join(import.meta.dirname, '..', '..', 'sql')
const paths = globSync('*.sql', { cwd: folder }).map((name) => join(folder, name))

export const example: Readonly<Record<string, string>> = Object.fromEntries(
  paths.map((path) => [basename(path), readFileSync(path, 'utf8')]),
)
export const exampleNames = Object.keys(example)
  .filter((name) => /^\d/.test(name))
  .toSorted()
/** The version of the last of them, as its name has it. */
export const exampleVersion = exampleNames.at(-1)?.slice(0, 4) ?? ''
