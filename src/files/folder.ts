import { hash } from 'node:crypto'
import {
  closeSync,
  constants,
  type Dirent,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
} from 'node:fs'
import { Failure, type FailureCode } from '../errors.ts'
import { nextTurn } from '../pause.ts'
import { printable } from '../printable.ts'
import { byteProblem, placeOfByte, toText } from './bytes.ts'
import { readDirectives } from './header.ts'
import { compareNames, mendedName, parseFileName, shellWord, type FileName } from './name.ts'

/** One SQL file, read once: what is hashed is what is sent. */
export interface Migration extends FileName {
  readonly text: string
  /** SHA-256 over the bytes, as 64 hexadecimal digits. */
  readonly checksum: string
  /** Nothing but white space: such files are told apart by their names only. */
  readonly blank: boolean
}

/** `baseline.sql`: builds an empty database in one go, in place of the files up to a version. */
export interface Baseline {
  readonly text: string
  readonly checksum: string
  /** The version of the last file that it stands for. */
  readonly upto: bigint
  /** The same as its header spells it. */
  readonly version: string
}

export interface Folder {
  readonly dir: string
  /** In order of application; at least one. */
  readonly files: readonly Migration[]
  readonly baseline: Baseline | undefined
  readonly warnings: readonly string[]
}

const baselineName = 'baseline.sql'
/** The longest string of V8 is a little longer. */
const longestText = 500 * 2 ** 20

/**
 * Reads a folder of SQL files whole, before anything is done with any of them. In turns with
 * whatever else goes on: the connection is being made meanwhile.
 *
 * @param maxBytes - size above which a file is refused
 * @throws {Failure} FOLDER_*, FILE_*, DIRECTIVE_UNKNOWN, BASELINE_INVALID; all files of one kind of
 *   mistake in one report
 */
export async function readFolder(dir: string, maxBytes: number): Promise<Folder> {
  await nextTurn()
  const base = steadyPath(dir)
  const entries = listSqlFiles(base, dir)
  const names = parseNames(entries.map(({ name }) => name).filter((name) => name !== baselineName))
  refuseTwins(names)
  const warnings: string[] = []
  const texts = await readTexts(base, entries, maxBytes, warnings)
  const files = names.map((name): Migration => ({ ...name, ...textOf(texts, name.file) }))
  refuseUnknownDirectives(files)
  return { dir, files, baseline: baselineOf(texts, files), warnings }
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
  if (!files.some(({ name }) => name !== baselineName)) {
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
  return report(
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
  throw report('FILE_NAME_TWICE', problems, more)
}

interface Text {
  readonly text: string
  readonly checksum: string
  readonly blank: boolean
}

/** Synchronous reads are the fastest for small files; so many keep the connection waiting for 0.3 ms. */
const filesAtATime = 8

async function readTexts(
  base: string,
  entries: readonly Dirent[],
  maxBytes: number,
  warnings: string[],
): Promise<Map<string, Text>> {
  const texts = new Map<string, Text>()
  const problems: string[] = []
  for (const [index, entry] of entries.entries()) {
    if (index % filesAtATime === 0) await nextTurn()
    const file = entry.name
    const bytes = readBytes(`${base}/${file}`, entry, maxBytes)
    if (typeof bytes === 'string') {
      problems.push(bytes)
      continue
    }
    const { text, hadByteOrderMark } = toText(bytes)
    // A NUL, or what stands for bytes that are no text; that could be meant, so the bytes are looked at.
    const problem =
      text.includes('\0') || text.includes('\u{FFFD}') ? contentProblem(bytes, file) : undefined
    if (problem !== undefined) {
      problems.push(problem)
      continue
    }
    if (hadByteOrderMark) warnings.push(`${file} begins with a byte order mark, which is left out`)
    texts.set(file, { text, checksum: hash('sha256', bytes, 'hex'), blank: text.trim() === '' })
  }
  if (problems.length > 0) throw report('FILE_CONTENT_INVALID', problems)
  return texts
}

/** The bytes, until the next call: small files share their place. Or why they are too many. */
function readBytes(path: string, entry: Dirent, maxBytes: number): Buffer | string {
  const file = entry.name
  try {
    // Non-blocking: to open a FIFO would wait for a writer, for ever.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const small = entry.isFile() ? readSmall(fd) : undefined
      if (small !== undefined && small.length <= maxBytes) return small
      const stat = fstatSync(fd)
      if (!stat.isFile()) throw new Failure('FILE_UNREADABLE', `${file} is not a regular file`)
      if (stat.size > longestText) {
        return `${file} has ${stat.size} bytes, more than this release can send (${longestText})`
      }
      if (stat.size > maxBytes) {
        return `${file} has ${stat.size} bytes, more than LOCKSTEP_MAX_FILE_SIZE allows (${maxBytes})`
      }
      return readFileSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('FILE_UNREADABLE', `cannot read ${file}: ${reasonOf(error)}`)
  }
}

/** Where small files are read to, one after another: a buffer for each would be a lot of garbage. */
const scratch = Buffer.allocUnsafeSlow(2 ** 16)

/**
 * The bytes of a regular file, or undefined where they may be more than there is room. It is read to
 * its end, and not asked for its size, since that answer takes longer to unpack than a small file to read.
 */
function readSmall(fd: number): Buffer | undefined {
  let at = 0
  for (let read = 1; read > 0; at += read) {
    if (at === scratch.length) return undefined
    read = readSync(fd, scratch, at, scratch.length - at, at)
  }
  return scratch.subarray(0, at)
}

function contentProblem(bytes: Buffer, file: string): string | undefined {
  const problem = byteProblem(bytes)
  if (problem === undefined) return undefined
  const { line, column } = placeOfByte(bytes, problem.at)
  return `${file}:${line}:${column} holds ${problem.what}, at byte ${problem.at}`
}

function refuseUnknownDirectives(files: readonly Migration[]): void {
  const problems = files.flatMap(({ file, text }) =>
    readDirectives(text).map(
      ({ word, line }) =>
        `${file}:${line}:1 directive “${printable(word)}” is not known to this release`,
    ),
  )
  if (problems.length > 0) throw report('DIRECTIVE_UNKNOWN', problems)
}

function baselineOf(
  texts: ReadonlyMap<string, Text>,
  files: readonly Migration[],
): Baseline | undefined {
  const found = texts.get(baselineName)
  if (found === undefined) return undefined
  const directives = readDirectives(found.text)
  const unknown = directives.find(({ word }) => word !== 'baseline')
  if (unknown) {
    const place = `${baselineName}:${unknown.line}:1`
    throw new Failure(
      'DIRECTIVE_UNKNOWN',
      `${place} directive “${printable(unknown.word)}” is not known to this release; known: baseline VERSION`,
    )
  }
  const version = /^[0-9]+$/.exec(directives[0]?.rest ?? '')?.[0]
  if (version === undefined || directives.length > 1) {
    throw new Failure(
      'BASELINE_INVALID',
      `${baselineName} does not say once which version it builds`,
    )
  }
  const upto = BigInt(version)
  if (!files.some((file) => file.version === upto)) {
    const problem = `${baselineName} stands for the files up to ${version}, but none of that version is here`
    throw new Failure('BASELINE_INVALID', problem)
  }
  return { text: found.text, checksum: found.checksum, upto, version }
}

function textOf(texts: ReadonlyMap<string, Text>, file: string): Text {
  const text = texts.get(file)
  if (text === undefined) throw new Error('a listed file was not read')
  return text
}

/** One failure for all problems of a kind: the first in the message, the others below it. */
function report(code: FailureCode, problems: readonly string[], more?: readonly string[]): Failure {
  const [first = '', ...others] = problems
  const advice = more ?? new Failure(code, '').more
  return new Failure(code, first, [...others, ...advice])
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such path',
    ENOTDIR: 'it is not a folder',
    EACCES: 'permission denied',
    ELOOP: 'its links go round in a circle',
  }
  return reasons[code] ?? code
}
