import { hash } from 'node:crypto'
import type { Entry } from './files/entry.ts'
import type { Folder } from './files/folder.ts'
import { compareNames, parseFileName, type FileName } from './files/name.ts'
import type { Phase } from './phases.ts'
import type { LedgerRow } from './recorded.ts'

/**
 * What a run publishes for those who have no connection to the database. `docs/status.md` says what
 * the fields mean, golden tests pin them. Never a host, a user, a statement or a value of a row.
 */
export interface Published {
  readonly format: string
  readonly state: PublishedState
  /** The highest version in the ledger, as its file spells it; empty where there is none. */
  readonly version: string
  readonly database: string
  readonly run: string
  /** Of the files of the image that wrote it. */
  readonly set: string
  readonly phase?: Phase | undefined
  readonly program: string
  /** ISO 8601, by the clock of the run. */
  readonly started: string
  readonly finished?: string | undefined
  readonly error?: string | undefined
  readonly exit?: number | undefined
  /** One line. */
  readonly reason?: string | undefined
  /** By names of files: their meanings, shortened, with a blank between several. */
  readonly applied: Readonly<Record<string, string>>
  /** By names of files: the checksums of their bytes, shortened; none where only the meaning was known. */
  readonly checksums: Readonly<Record<string, string>>
  /** What stood for so many files that there was no room for their names. */
  readonly folded?: Folded | undefined
  /** By names of files: images without a file of this version are too old. */
  readonly breaksBefore: Readonly<Record<string, string>>
}

const publishedStates = ['running', 'succeeded', 'failed', 'interrupted'] as const
export type PublishedState = (typeof publishedStates)[number]

interface Folded {
  readonly files: number
  readonly digest: string
}

/** What of a row of the ledger is published. */
export type AppliedRow = Pick<LedgerRow, 'name' | 'checksum' | 'meanings' | 'breaksBefore' | 'how'>

/** Within a major format only fields are added, which older programs pass over. */
const format = { major: 1, minor: 0 } as const

/** A ConfigMap holds 1 MiB in all. */
const mostBytes = 900_000

type Facts = Omit<
  Published,
  'format' | 'version' | 'applied' | 'checksums' | 'folded' | 'breaksBefore'
>

/**
 * What is to be published of a ledger. Where there is no room for all names, files that a baseline
 * stood for are folded to their count and a digest.
 *
 * @param rows - those that are certain to survive a crash
 */
export function publishedOf(facts: Facts, rows: readonly AppliedRow[]): Published {
  const whole = withRows(facts, rows, [])
  if (Buffer.byteLength(textOf(whole)) <= mostBytes) return whole
  const covered = rows.filter(({ how }) => how === 'baseline')
  return withRows(
    facts,
    rows.filter((row) => !covered.includes(row)),
    covered,
  )
}

function withRows(
  facts: Facts,
  rows: readonly AppliedRow[],
  covered: readonly AppliedRow[],
): Published {
  const { state, database, run, set, phase, program, started, finished, error, exit, reason } =
    facts
  const names = [...rows, ...covered].map(({ name }) => parseFileName(name) ?? noName)
  const [highest = noName] = names.toSorted(compareNames).slice(-1)
  const breaking = rows.flatMap(({ name, breaksBefore }) =>
    breaksBefore === null ? [] : [[name, breaksBefore] as const],
  )
  return {
    format: `${format.major}.${format.minor}`,
    state,
    version: /^\d*/.exec(highest.file)?.[0] ?? '',
    database,
    run,
    set,
    phase,
    program,
    started,
    finished,
    error,
    exit,
    reason,
    applied: Object.fromEntries(rows.map((row) => [row.name, row.meanings.map(short).join(' ')])),
    checksums: Object.fromEntries(
      rows.flatMap(({ name, checksum }) => (checksum === '' ? [] : [[name, short(checksum)]])),
    ),
    folded: covered.length === 0 ? undefined : fold(covered.map(lineOf)),
    breaksBefore: Object.fromEntries(breaking),
  }
}

const noName: FileName = { file: '', version: -1n }

/** The document as it stands in a file, and in the key `status.json` of a ConfigMap. */
export function textOf(published: Published): string {
  return `${JSON.stringify(published, null, 2)}\n`
}

/** Whether a document already says what a run with nothing to do would write. */
export function saysTheSame(published: Published, other: Published): boolean {
  const said = ({ state, database, applied, folded, breaksBefore }: Published): string =>
    JSON.stringify([state, database, sorted(applied), folded ?? null, sorted(breaksBefore)])
  return said(published) === said(other)
}

function sorted(fields: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** A document, or what is wrong with it: somebody may have edited it by hand. */
export function readPublished(text: string): Published | string {
  if (text.trim() === '') return 'there is no status in it'
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  if (!isRecord(read)) return 'it is not a JSON object'
  const [, major] = /^(\d+)\.\d+$/.exec(String(read['format'])) ?? []
  if (major === undefined) return 'it does not tell its format'
  if (Number(major) !== format.major)
    return `it has format ${String(read['format'])}, and this program understands ${format.major}.x`
  const wrong = Object.entries(fieldShapes).find(([name, isRight]) => !isRight(read[name]))
  if (wrong !== undefined) return `its field ${wrong[0]} is not as Lockstep writes it`
  // oxlint-disable-next-line no-unsafe-type-assertion -- each field has been looked at
  return read as unknown as Published
}

type Shape = (value: unknown) => boolean

function matching(pattern: RegExp): Shape {
  return (value) => typeof value === 'string' && pattern.test(value)
}

function optional(shape: Shape): Shape {
  return (value) => value === undefined || shape(value)
}

function fileTable(pattern: RegExp): Shape {
  const isRight = matching(pattern)
  return (value) =>
    isRecord(value) &&
    Object.entries(value).every(([name, text]) => parseFileName(name) && isRight(text))
}

const time = matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

export const fieldShapes: Readonly<Record<keyof Omit<Published, 'format'>, Shape>> = {
  state: (value) => publishedStates.some((state) => state === value),
  version: matching(/^\d*$/),
  database: matching(/^[0-9a-f]{16}$/),
  run: matching(/^[0-9a-f]{8}$/),
  set: matching(/^[0-9a-f]{64}$/),
  phase: optional(matching(/^[a-z-]+$/)),
  program: matching(/^\S+$/),
  started: time,
  finished: optional(time),
  error: optional(matching(/^[A-Z_]+$/)),
  exit: optional((value) => typeof value === 'number'),
  reason: optional(matching(/^[^\n]*$/)),
  applied: fileTable(/^[0-9a-f]{16}(?: [0-9a-f]{16})*$/),
  checksums: fileTable(/^[0-9a-f]{16}$/),
  folded: optional(
    (value) =>
      isRecord(value) && typeof value['files'] === 'number' && typeof value['digest'] === 'string',
  ),
  breaksBefore: fileTable(/^\d+$/),
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The rows of a ledger, as far as a document tells them and an image can know them: checksums and meanings
 * are those of its files that begin alike. Of a file that is there by name and bytes nobody asks what it
 * means. What was folded is there if this image has exactly these files.
 */
export function rowsOf(
  { applied, checksums, folded, breaksBefore }: Published,
  folder: Pick<Folder, 'files' | 'baseline'>,
): LedgerRow[] {
  const asked = unlike(checksums, folder)
  const bytes = new Map(folder.files.map(({ checksum }) => [short(checksum), checksum]))
  const whole = new Map(asked.map(({ meaning }) => [short(meaning.file), meaning.file]))
  const named = Object.entries(applied).map(([name, meanings]) => ({ name, meanings }))
  const others = new Map(
    asked
      .filter(({ file }) => !Object.hasOwn(applied, file))
      .map(({ file, meaning }) => [file, { name: file, meanings: short(meaning.file) }]),
  )
  const hidden = [...others.values()]
  const isFolded =
    folded !== undefined &&
    fold(hidden.map(({ name, meanings }) => `${name} ${meanings}\n`)).digest === folded.digest
  return [...(isFolded ? hidden : []), ...named].map(({ name, meanings }, index) => ({
    id: index + 1,
    previous: index,
    name,
    checksum: bytes.get(checksums[name] ?? '') ?? '',
    meanings: meanings.split(' ').map((meaning) => whole.get(meaning) ?? meaning),
    how: 'published',
    breaksBefore: breaksBefore[name] ?? null,
    over: [],
    finished: true,
    flushed: true,
  }))
}

/** The files of an image that a document does not have by name and bytes: what they mean must be asked. */
export function unlike(
  checksums: Published['checksums'],
  { files, baseline }: Pick<Folder, 'files' | 'baseline'>,
): readonly Entry[] {
  return [...files, ...(baseline?.covers ?? [])].filter(
    ({ file, checksum }) => checksums[file] !== short(checksum),
  )
}

function fold(lines: readonly string[]): Folded {
  return { files: lines.length, digest: hash('sha256', lines.toSorted().join('')).slice(0, 32) }
}

function lineOf({ name, meanings }: AppliedRow): string {
  return `${name} ${meanings.map(short).join(' ')}\n`
}

/** Eight bytes are enough to tell a file from its edits. */
function short(meaning: string): string {
  return meaning.slice(0, 16)
}
