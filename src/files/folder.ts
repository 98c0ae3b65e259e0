import { type Dirent, existsSync, readdirSync, realpathSync } from 'node:fs'
import { Failure, failureOfAll } from '../failure.ts'
import { nextTurn } from '../pause.ts'
import { printable } from '../printable.ts'
import { baselineName, readBaseline, type Baseline } from './baseline.ts'
import { readText, type ReadText } from './content.ts'
import { directiveProblems, directivesFailure, type FileProblem } from './directive-problems.ts'
import { compareNames, mendedName, parseFileName, shellWord, type FileName } from './name.ts'
import { reasonOf } from './reason.ts'
import { SqlFile, type Migration } from './sql-file.ts'

export type { Migration }

export interface Folder {
  readonly dir: string
  /** In order of application; none only where the baseline says what it stands for. */
  readonly files: readonly Migration[]
  readonly baseline: Baseline | undefined
  readonly warnings: readonly string[]
}

/**
 * Reads a folder of SQL files whole, before anything is done with any of them. In turns with
 * whatever else goes on: the connection is being made meanwhile.
 *
 * @param maxBytes - size above which a file is refused
 * @param isAlone - nothing else goes on, so no turns are taken
 * @throws {Failure} FOLDER_*, FILE_*, DIRECTIVE_*, BASELINE_INVALID; all files of one kind of
 *   mistake in one report, and with directives also what is refused of statements
 */
export async function readFolder(dir: string, maxBytes: number, isAlone = false): Promise<Folder> {
  const { problems, ...folder } = await lookIntoFolder(dir, maxBytes, isAlone)
  if (problems.length > 0) throw directivesFailure(folder.files, problems)
  return folder
}

interface Looked extends Folder {
  readonly files: readonly SqlFile[]
  readonly problems: readonly FileProblem[]
}

/**
 * The same, for whoever tells by himself what is wrong with directives.
 *
 * @throws {Failure} FOLDER_*, FILE_*, BASELINE_INVALID, and DIRECTIVE_UNKNOWN for the baseline
 */
export async function lookIntoFolder(
  dir: string,
  maxBytes: number,
  isAlone = false,
): Promise<Looked> {
  await nextTurn()
  const base = steadyPath(dir)
  const entries = listSqlFiles(base, dir)
  const names = parseNames(entries.map(({ name }) => name).filter((name) => name !== baselineName))
  refuseTwins(names)
  const warnings: string[] = []
  const texts = await readTexts(base, entries, maxBytes, warnings, isAlone)
  const files = names.map((name) => new SqlFile(name, textOf(texts, name.file)))
  const found = texts.get(baselineName)
  const baseline = found && readBaseline(found, names)
  return { dir, files, baseline, warnings, problems: directiveProblems(files, baseline) }
}

/**
 * A ConfigMap mount keeps its files behind a link `..data` that is swapped when the map changes:
 * resolved once, so that all files are of one generation.
 */
function steadyPath(dir: string): string {
  const data = `${dir}/..data`
  // An ordinary folder has none; what else may be wrong with it the listing will tell.
  return existsSync(data) ? realpathSync(data) : dir
}

function listSqlFiles(base: string, dir: string): Dirent[] {
  let entries: Dirent[]
  try {
    entries = readdirSync(base, { withFileTypes: true })
  } catch (error) {
    throw new Failure('FOLDER_UNREADABLE', `cannot read the folder ${dir}: ${reasonOf(error)}`)
  }
  const files = entries.filter(
    ({ name }) => !name.startsWith('.') && name.toLowerCase().endsWith('.sql'),
  )
  if (files.length === 0) {
    const others = entries.length === 0 ? 'it is empty' : `it holds ${entries.length} other entries`
    throw new Failure('FOLDER_EMPTY', `the folder ${dir} holds no SQL file to apply: ${others}`)
  }
  return files
}

function parseNames(files: readonly string[]): FileName[] {
  const names = files.map(parseFileName)
  const bad = files.filter((_, index) => names[index] === undefined)
  if (bad.length > 0) throw badNames(bad, files)
  return names.filter((name) => name !== undefined).toSorted(compareNames)
}

function badNames(bad: readonly string[], all: readonly string[]): Failure {
  const width = Math.max(4, ...all.map((file) => /[0-9]+/.exec(file)?.[0].length ?? 0))
  const mends = bad.flatMap((file) => {
    const better = mendedName(file, width)
    return better === undefined || printable(file) !== file
      ? []
      : [`git mv ${shellWord(file)} ${better}`]
  })
  return failureOfAll(
    'FILE_NAME_INVALID',
    bad.map(
      (file) => `${printable(file)} is not named VERSION_NAME.sql, as 0001_create_users.sql is`,
    ),
    mends.length > 0 ? ['to mend it:', ...mends] : undefined,
  )
}

function refuseTwins(names: readonly FileName[]): void {
  const problems: string[] = []
  const versions = new Map<bigint, string>()
  for (const { file, version } of names) {
    const twin = versions.get(version)
    if (twin !== undefined) problems.push(`${twin} and ${file} have the same version`)
    versions.set(version, file)
  }
  if (problems.length === 0) return
  const hasDown = names.some(({ file }) => file.endsWith('.down.sql'))
  const more = hasDown
    ? ['leave the .down.sql files out: Lockstep never goes backwards']
    : undefined
  throw failureOfAll('FILE_NAME_TWICE', problems, more)
}

/** Synchronous reads are the fastest for small files; so many keep the connection waiting for 0.3 ms. */
const filesAtATime = 8

async function readTexts(
  base: string,
  entries: readonly Dirent[],
  maxBytes: number,
  warnings: string[],
  isAlone: boolean,
): Promise<Map<string, ReadText>> {
  const texts = new Map<string, ReadText>()
  const problems: string[] = []
  for (const [index, entry] of entries.entries()) {
    if (!isAlone && index % filesAtATime === 0) await nextTurn()
    const found = await readText(`${base}/${entry.name}`, entry, maxBytes)
    if (typeof found === 'string') {
      problems.push(found)
      continue
    }
    if (found.hadByteOrderMark)
      warnings.push(`${entry.name} begins with a byte order mark, which is left out`)
    texts.set(entry.name, found)
  }
  if (problems.length > 0) throw failureOfAll('FILE_CONTENT_INVALID', problems)
  return texts
}

function textOf(texts: ReadonlyMap<string, ReadText>, file: string): ReadText {
  const text = texts.get(file)
  if (text === undefined) throw new Error('a listed file was not read')
  return text
}
