import { Failure } from '../failure.ts'
import { allowanceWords, type AllowanceWord } from '../files/allowance.ts'
import type { TablePattern } from '../files/table-name.ts'
import { count } from '../phrases.ts'
import { lockModes } from './lock-modes.ts'
import { ledgerStates } from './ledger-states.ts'
import type { ServerError } from './server-error.ts'

/** Tables whose rows an earlier try may have lost: their keys are kept and looked for. */
export interface Exact {
  readonly roots: readonly number[]
  /** Those that may have been truncated and filled again. */
  readonly refilled: readonly number[]
  /** The strongest lock that the earlier try needed; never one that lets others write. */
  readonly mode: (typeof lockModes)[number]
}

/** What a file did to a guarded table, or would have done. */
export interface Finding {
  /** OID of the uppermost guarded table of the tree. */
  readonly oid: number
  /** `crm.leads`, quoted where it must be. */
  readonly table: string
  readonly what: AllowanceWord
  /** Rows deleted, as the transaction's counters say; in exact mode rows lost. */
  readonly rows?: number
  readonly columns?: readonly string[]
  /** Partitions and children that it is about. */
  readonly parts?: readonly string[]
  readonly cascadeFrom?: string
  readonly isExact: boolean
  readonly hasKey: boolean
  /** A table of the ledger. */
  readonly isOwn: boolean
  /** The strongest lock on a table of the tree, as `lockModes` counts. */
  readonly level: number
}

interface Verdict {
  readonly violations: readonly Finding[]
  /** Of rows, in tables with a key. */
  readonly suspects: readonly Finding[]
}

/** Rows may be lost: only the kept keys can tell. A failure, if they cannot be kept. */
export class Suspicion extends Failure {
  readonly exact: Exact
  readonly #file: string
  readonly #verdict: Verdict
  readonly #tables: readonly TablePattern[]

  constructor(file: string, verdict: Verdict, tables: readonly TablePattern[]) {
    const { violations, suspects } = verdict
    const { message, more } = violation(file, [...violations, ...suspects], tables)
    super('GUARD_VIOLATED', message, more)
    this.#file = file
    this.#verdict = verdict
    this.#tables = tables
    this.exact = {
      roots: [...new Set(suspects.map(({ oid }) => oid))].toSorted((a, b) => a - b),
      refilled: suspects.filter(({ what }) => what === 'truncate').map(({ oid }) => oid),
      mode: strongest(suspects),
    }
  }

  /** This one, and what an earlier try has raised. */
  joined(earlier: Suspicion | undefined): Suspicion {
    if (earlier === undefined) return this
    const verdict = {
      violations: [...earlier.#verdict.violations, ...this.#verdict.violations],
      suspects: [...earlier.#verdict.suspects, ...this.#verdict.suspects],
    }
    return new Suspicion(this.#file, verdict, this.#tables)
  }
}

/** From SHARE ROW EXCLUSIVE on, nobody else writes. */
function strongest(findings: readonly Finding[]): Exact['mode'] {
  const weakest = lockModes.indexOf('SHARE ROW EXCLUSIVE') + 1
  const level = Math.max(weakest, ...findings.map((finding) => finding.level))
  return lockModes[level - 1] ?? 'ACCESS EXCLUSIVE'
}

/**
 * What the guard's own error says.
 *
 * @param error - with the verdict as `judge` makes it; with none where the file left it nothing to look
 *   at, or has put its hand on the ledger
 */
export function readVerdict(
  file: string,
  { verdict, sqlState }: Pick<ServerError, 'verdict' | 'sqlState'>,
  tables: readonly TablePattern[],
): Failure {
  if (sqlState === ledgerStates.altered) {
    return new Failure('GUARD_VIOLATED', `${file} would alter the ledger, or a function of it`, [
      'nothing of this file is kept',
      'no file may do that to the ledger',
    ])
  }
  if (verdict === undefined) {
    return new Failure(
      'GUARD_VIOLATED',
      `${file} closes or moves cursors that are not its own, so that what it does to guarded tables cannot be told`,
      [
        'nothing of this file is kept',
        'close each cursor by its name, not all of them with CLOSE ALL',
      ],
    )
  }
  const read: Verdict = JSON.parse(verdict)
  return read.suspects.length > 0
    ? new Suspicion(file, read, tables)
    : violation(file, read.violations, tables)
}

/** Where a role may not read what it may delete, or row security hides rows from it. */
export function unreadable(suspicion: Failure): Failure {
  return new Failure('GUARD_VIOLATED', suspicion.message, [
    'how many rows exactly cannot be told: this role may not read all rows of the table',
    ...suspicion.more,
  ])
}

function violation(
  file: string,
  findings: readonly Finding[],
  tables: readonly TablePattern[],
): Failure {
  const byTable = [...Map.groupBy(findings, ({ oid }) => oid).values()]
  const [first = '', ...others] = byTable.flatMap((group) => losses(group, tables))
  const allowed = byTable.filter(([finding]) => finding?.isOwn !== true)
  const isUntold = findings.some(({ hasKey, isOwn, what }) => !hasKey && !isOwn && isOfRows(what))
  const advice =
    allowed.length === 0
      ? ['no file may do that to the ledger']
      : [
          'if it is meant, write above its first statement:',
          ...allowed.flatMap((group) => allowLines(group, tables)),
        ]
  return new Failure('GUARD_VIOLATED', `${file} would ${first}`, [
    ...others.map((loss) => `and would ${loss}`),
    'rolled back, nothing is lost',
    ...(isUntold
      ? ['there is no key by which rows can be told apart: a primary key would let it be exact']
      : []),
    ...advice,
  ])
}

/** Those of one table, in words that go on after `would`. */
function losses(findings: readonly Finding[], tables: readonly TablePattern[]): string[] {
  const ofRows = findings.filter(({ what }) => isOfRows(what))
  return [
    ...(ofRows.length > 0 ? [lossOfRows(ofRows, tables)] : []),
    ...findings.filter(({ what }) => !isOfRows(what)).map((finding) => change(finding, tables)),
  ]
}

function lossOfRows(findings: readonly Finding[], tables: readonly TablePattern[]): string {
  const [finding] = findings
  const name = shortName(finding?.table ?? '', tables)
  const rows = exactRows(findings)
  const deleted = findings.find(({ what }) => what === 'delete')
  const isTruncated = findings.some(({ what }) => what === 'truncate')
  const most = deleted?.rows
  const number =
    rows === undefined
      ? most === undefined || isTruncated
        ? 'rows'
        : `${finding?.isOwn === true ? '' : 'up to '}${count(most, 'row')}`
      : count(rows, 'row')
  const from = deleted?.cascadeFrom
  const how = [
    ...(from === undefined ? [] : [`, by cascade from ${shortName(from, tables)}`]),
    ...(isTruncated ? [', which it truncates'] : []),
  ].join('')
  return `lose ${number} of ${name}${how}`
}

function change(
  { what, table, columns = [], parts = [] }: Finding,
  tables: readonly TablePattern[],
): string {
  const name = shortName(table, tables)
  const parted = parts.map((part) => shortName(part, tables)).join(', ')
  const noun = columns.length === 1 ? 'column' : 'columns'
  switch (what) {
    case 'drop':
      return parted === '' ? `drop ${name}` : `drop ${parted}, a part of ${name}`
    case 'drop-column':
      return `drop the ${noun} ${columns.join(', ')} of ${name}`
    case 'retype':
      return `change the type of the ${noun} ${columns.join(', ')} of ${name}`
    case 'rename':
      return `rename ${name}, or move it to another schema`
    case 'detach':
      return `detach ${parted} from ${name}`
    case 'unlogged':
      return `make ${parted === '' ? name : parted} unlogged: a crash of the server would empty it`
    case 'delete':
    case 'truncate':
      return `${what} ${name}`
  }
}

/** The directives that would let the file pass, for one table. */
function allowLines(findings: readonly Finding[], tables: readonly TablePattern[]): string[] {
  const name = shortName(findings[0]?.table ?? '', tables)
  const words = allowanceWords.filter((word) => findings.some(({ what }) => what === word))
  const rows = exactRows(findings.filter(({ what }) => isOfRows(what)))
  const bound = rows === undefined ? '' : ` <= ${rows}`
  return [
    { list: words.filter(isOfRows), limit: bound },
    { list: words.filter((word) => !isOfRows(word)), limit: '' },
  ]
    .filter(({ list }) => list.length > 0)
    .map(({ list, limit }) => `-- lockstep: allow ${list.join(', ')}${limit} on ${name}`)
}

function exactRows(findings: readonly Finding[]): number | undefined {
  return findings.find(({ isExact }) => isExact)?.rows
}

function isOfRows(word: AllowanceWord): boolean {
  return word === 'delete' || word === 'truncate'
}

/** As people have named it, else without `public`. */
export function shortName(table: string, tables: readonly TablePattern[]): string {
  const [, own = table] = /\.("(?:[^"]|"")+"|[^".]+)$/.exec(table) ?? []
  const bare = own.replaceAll(/^"|"$/g, '').replaceAll('""', '"')
  const isNamedBare = tables.some(
    ({ schema, name, isAll }) => schema === undefined && !isAll && name === bare,
  )
  return isNamedBare || table.startsWith('public.') ? own : table
}
