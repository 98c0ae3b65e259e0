import { bareKind } from './bare.ts'
import type { Place } from './bytes.ts'
import { copiesWithClient, dataBehind } from './copy.ts'
import type { Directives } from './directives.ts'
import type { Finding, PlacedFinding } from './findings.ts'
import { loneKinds } from './lone.ts'
import { sessionFinding } from './session-state.ts'
import { splitStatements, tokensOf, type Split, type Statement, type Token } from './statements.ts'
import type { Stretch } from './stretches.ts'
import { controlOf, type Control } from './transaction.ts'
import { Walk } from './walk.ts'

/** A file as it is sent, and what speaks against sending it. Pure. */
export interface Script extends Reading {
  /** As long as the file in code points and lines, so that places hold. */
  readonly text: string
}

/** What the statements of a text are. */
export interface Reading {
  /** What is left out when it is sent, by code units. */
  readonly blanked: readonly Statement[]
  /** Transaction modes of its own BEGIN or SET TRANSACTION, for ours. */
  readonly modes: string
  readonly findings: readonly PlacedFinding[]
  /** What is left out, for people. */
  readonly notes: readonly string[]
  /** It only reads and changes rows, so it may wait for locks: nobody queues behind it. */
  readonly onlyRows: boolean
}

/** A statement that does something to the transaction. */
interface Controlling extends Statement {
  readonly control: Control
  /** How many statements are before it. */
  readonly index: number
  readonly place: Place
}

/**
 * Reads the statements of a file: a pair of BEGIN and COMMIT around all the others, a leading SET
 * TRANSACTION and the `\restrict` lines of pg_dump are blanked; whatever would end the transaction,
 * take the lock away, change how the server reads what follows, or cannot run is found.
 */
export function readScript(text: string, { noTransaction }: Directives): Script {
  const growing = new GrowingReading({ noTransaction, isData: 'blanked' })
  growing.add({ text, ...splitWithoutData(text), begins: { line: 1, column: 1 } })
  const reading = growing.whole()
  return { ...reading, text: blank(text, reading.blanked) }
}

/** The same of a text that comes in stretches. */
export class GrowingReading {
  readonly #noTransaction: boolean
  readonly #isDataUnknown: boolean
  readonly #blanked: Statement[] = []
  readonly #findings: PlacedFinding[] = []
  readonly #controls: Controlling[] = []
  #onlyRows = true
  #count = 0
  /** Length of the stretches before. */
  #units = 0
  /** What follows is data of a COPY, or behind it: nobody knows where statements begin again. */
  #isLost = false

  /** @param isData - whether what stands behind a COPY FROM STDIN is blanked in the statements */
  constructor(how: { readonly noTransaction: boolean; readonly isData: 'blanked' | 'unknown' }) {
    this.#noTransaction = how.noTransaction
    this.#isDataUnknown = how.isData === 'unknown'
  }

  add(stretch: Pick<Stretch, 'text' | 'statements' | 'unclosed' | 'begins'>): void {
    const { text, statements, unclosed } = stretch
    const isSuspicious = suspicious.test(text)
    const placeOf = placesIn(stretch)
    for (const statement of statements) {
      if (this.#isLost) return
      const { start, end } = statement
      const within = { start: this.#units + start, end: this.#units + end }
      // Statements that run one by one are counted, and none may be missing.
      if (!this.#noTransaction && isRestrict(text, statement)) {
        this.#blanked.push(within)
        continue
      }
      const index = this.#count
      this.#count += 1
      const tokens = tellingTokens(text, statement, isSuspicious)
      const control = tokens.some(isMeta) ? undefined : controlOf(text, tokens)
      if (control !== undefined) {
        // Of many all but the last are wrong in any case.
        if (this.#controls.length === mostFindings) this.#controls.pop()
        this.#controls.push({ ...within, control, index, place: placeOf(start) })
        continue
      }
      this.#onlyRows &&= rowWords.has(tokens[0]?.text ?? '')
      const found = findingsOf(text, { ...statement, tokens }, this.#noTransaction)
      for (const finding of found) this.#find(finding, placeOf(finding.at))
      this.#isLost = this.#isDataUnknown && found.some(({ rule }) => rule === 'copy-client')
    }
    if (unclosed !== undefined && !this.#isLost) {
      const reason = `a ${unclosed.what} begins here and has no end`
      const finding = { rule: 'open-end', at: unclosed.at, reason, remedy: 'close it' } as const
      this.#find(finding, placeOf(unclosed.at))
    }
    this.#units += text.length
  }

  whole(): Reading {
    const blanked = [...this.#blanked]
    const modes: string[] = []
    const notes: string[] = []
    let inner: readonly Controlling[] = this.#isLost ? [] : this.#controls
    if (!this.#noTransaction) {
      const [first, last] = [inner[0], inner.at(-1)]
      let begin = 0
      if (
        first?.index === 0 &&
        first.control.kind === 'begin' &&
        first.control.modes !== undefined &&
        last?.index === this.#count - 1 &&
        last.control.kind === 'commit' &&
        inner.slice(1, -1).every(({ control }) => control.kind === 'set')
      ) {
        inner = inner.slice(1, -1)
        begin = 1
        blanked.push(first, last)
        modes.push(first.control.modes)
        notes.push('its own BEGIN and COMMIT are left out: the file is one transaction already')
      }
      const [leading] = inner
      if (
        leading?.index === begin &&
        leading.control.kind === 'set' &&
        leading.control.modes !== undefined
      ) {
        inner = inner.slice(1)
        blanked.push(leading)
        modes.push(leading.control.modes)
      }
    }
    const ours = inner.flatMap(({ control, start, place }) => {
      const finding = controlFinding(control, start, this.#noTransaction)
      return finding === undefined ? [] : [{ ...finding, place }]
    })
    return {
      blanked: blanked.map(({ start, end }) => ({ start, end })),
      modes: modes.filter((mode) => mode !== '').join(', '),
      findings: [...this.#findings, ...ours].toSorted((a, b) => a.at - b.at),
      notes,
      onlyRows: this.#count > 0 && this.#onlyRows,
    }
  }

  #find(finding: Finding, place: Place): void {
    if (this.#findings.length === mostFindings) return
    this.#findings.push({ ...finding, at: this.#units + finding.at, place })
  }
}

/** Nobody reads on, and a large file may have a million of them. */
const mostFindings = 1_000

/** Places in a stretch, which is gone over once as long as they are asked for in order. */
function placesIn(stretch: Pick<Stretch, 'text' | 'begins'>): (at: number) => Place {
  let walk = new Walk(stretch.begins)
  let behind = 0
  return (at) => {
    if (at < behind) [walk, behind] = [new Walk(stretch.begins), 0]
    walk.over(stretch.text.slice(behind, at))
    behind = at
    return walk.place
  }
}

function isMeta({ kind }: Token): boolean {
  return kind === 'meta'
}

/** Words that may stand anywhere in a statement. */
const suspicious = /\\|pg_advisory_unlock_all|set_config/i

/** The first words of statements that change rows tell all; there may be a million of them. */
function tellingTokens(text: string, statement: Statement, isSuspicious: boolean): Token[] {
  if (isSuspicious && suspicious.test(text.slice(statement.start, statement.end))) {
    return tokensOf(text, statement)
  }
  const [first] = tokensOf(text, statement, 1)
  if (first === undefined || plain.has(first.text)) return first ? [first] : []
  return tokensOf(text, statement, mostTokens)
}

const plain = new Set('INSERT UPDATE DELETE MERGE SELECT WITH VALUES'.split(' '))

/** Of all others what tells them stands at the beginning; a body may be long. */
const mostTokens = 1_000

/** SET changes nothing that others could wait for. */
const rowWords = new Set([...plain, 'SET', 'RESET'])

function findingsOf(
  text: string,
  { tokens, start }: { readonly tokens: readonly Token[]; readonly start: number },
  noTransaction: boolean,
): Finding[] {
  const meta = tokens.find(isMeta)
  if (meta !== undefined) {
    return [
      {
        rule: 'psql-command',
        at: meta.start,
        reason: 'a command of psql, which the server does not know',
        remedy: 'take it out; what it includes or sets belongs into the file itself',
      },
    ]
  }
  if (copiesWithClient(tokens)) {
    return [
      {
        rule: 'copy-client',
        at: start,
        reason: 'COPY from or to the client, which has no data to give or take',
        remedy: 'write INSERT statements (pg_dump --inserts), or COPY from a file on the server',
      },
    ]
  }
  const bare = noTransaction ? undefined : bareKind(text, tokens)
  if (bare?.certainty === 'always') {
    return [
      {
        rule: 'not-in-transaction',
        at: start,
        reason: `${loneKinds[bare.kind]} cannot run inside of a transaction`,
        remedy: 'put it into a file of its own that begins with “-- lockstep: no-transaction”',
      },
    ]
  }
  return sessionFinding(text, tokens)
}

function controlFinding(control: Control, at: number, noTransaction: boolean): Finding | undefined {
  const rule = 'transaction-control'
  if (noTransaction) {
    const reason = 'a file without a transaction has none to begin, set or end'
    return { rule, at, reason, remedy: 'take it out: each statement is a transaction of its own' }
  }
  if (control.kind === 'set') {
    // The level of the transaction itself may be set at any time; PostgreSQL refuses all others.
    const reason =
      'SET TRANSACTION behind another statement, or with a mode that cannot be written in'
    return { rule, at, reason, remedy: 'let the file begin with it, without READ ONLY or SNAPSHOT' }
  }
  return {
    rule,
    at,
    reason: 'it begins or ends a transaction, but the file is one transaction already',
    remedy: 'take it out; or split the file there, where the part before it shall stay in any case',
  }
}

/** As pg_dump writes them since 2025: a key between them keeps psql from other commands. */
function isRestrict(text: string, { start, end }: Statement): boolean {
  return /^\\(?:un)?restrict [A-Za-z0-9]+$/.test(text.slice(start, end).trimEnd())
}

/** Data behind a COPY is no SQL: it is blanked before the next statement is looked for. */
function splitWithoutData(text: string): Split {
  let [split, left] = [splitStatements(text), text]
  for (let round = 0; round < mostCopies; round += 1) {
    const data = split.statements.map((statement) => dataBehind(left, statement)).find(Boolean)
    if (data === undefined) break
    left = blank(left, [data])
    split = splitStatements(left)
  }
  return split
}

/** Of a file that copies more often, the first places are enough. */
const mostCopies = 20

/**
 * Each character a space, but line ends: places hold.
 *
 * @param from - where the text begins, of that by which the parts are told
 */
export function blank(text: string, parts: readonly Statement[], from = 0): string {
  let [result, behind] = ['', 0]
  for (const part of parts.toSorted((a, b) => a.start - b.start)) {
    const [start, end] = [part.start - from, part.end - from]
    if (start < 0 || end > text.length) continue
    result += text.slice(behind, start) + text.slice(start, end).replace(/[^\r\n]/gu, ' ')
    behind = end
  }
  return behind === 0 ? text : result + text.slice(behind)
}
