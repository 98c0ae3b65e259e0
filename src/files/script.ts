import { bareKind } from './bare.ts'
import { copiesFromClient, copiesWithClient, dataBehind } from './copy.ts'
import type { Place } from './bytes.ts'
import type { Directives } from './directives.ts'
import type { Finding } from './findings.ts'
import { loneKinds } from './lone.ts'
import { sessionFinding } from './session-state.ts'
import { splitStatements, tokensOf, type Split, type Statement, type Token } from './statements.ts'
import { placeIn, type Stretch } from './stretches.ts'
import { controlOf, type Control } from './transaction.ts'

/** A file as it is sent, and what speaks against sending it. Pure. */
export interface Script {
  /** What is left out when it is sent, by code units. */
  readonly blanked: readonly Statement[]
  /** Transaction modes of its own BEGIN or SET TRANSACTION, for ours. */
  readonly modes: string
  /** Of very many the first. */
  readonly findings: readonly PlacedFinding[]
  /** What is left out, for people. */
  readonly notes: readonly string[]
  /** It only reads and changes rows, so it may wait for locks: nobody queues behind it. */
  readonly onlyRows: boolean
}

export interface PlacedFinding extends Finding, Place {}

/** In one line, for people. */
export function saidOf(file: string, { line, column, reason, remedy }: PlacedFinding): string {
  return `${file}:${line}:${column} ${reason}; ${remedy}`
}

interface Seen extends Statement {
  readonly tokens: readonly Token[]
  readonly control: Control | undefined
}

interface Part extends Statement {
  readonly control: Control | undefined
  readonly isRows: boolean
  readonly findings: readonly PlacedFinding[]
}

/** The script of a text that is kept. */
export function readScript(text: string, { noTransaction }: Directives): Script {
  const reader = new ScriptReader(noTransaction)
  const { statements, unclosed } = splitWithoutData(text)
  reader.see({ text, statements, unclosed, begins: { line: 1, column: 1 } })
  return reader.script()
}

/**
 * Reads the statements of a file, stretch by stretch: a pair of BEGIN and COMMIT around all the
 * others, a leading SET TRANSACTION and the `\restrict` lines of pg_dump are blanked; whatever would
 * end the transaction, take the lock away, change how the server reads what follows, or cannot run
 * is found. Of the statements it keeps the first two and the last, which may be such a pair.
 */
export class ScriptReader {
  readonly #noTransaction: boolean
  readonly #blanked: Statement[] = []
  readonly #first: Part[] = []
  #last: Part | undefined
  /** Of those between. */
  readonly #findings: PlacedFinding[] = []
  #allStay = true
  #allRows = true
  #openEnd: PlacedFinding | undefined
  /** Code units before the stretch. */
  #before = 0
  /** Behind a COPY from the client there may be data, which is no SQL. */
  meetsData = false

  constructor(noTransaction: boolean) {
    this.#noTransaction = noTransaction
  }

  see(stretch: Stretch): void {
    const { text, statements, unclosed } = stretch
    const isSuspicious = suspicious.test(text)
    for (const statement of statements) {
      const { start, end } = statement
      const place = { start: this.#before + start, end: this.#before + end }
      // Statements that run one by one are counted, and none may be missing.
      if (!this.#noTransaction && isRestrict(text, statement)) {
        this.#blanked.push(place)
        continue
      }
      const tokens = tellingTokens(text, statement, isSuspicious)
      // Nothing of it is in the way, and there may be a million of them.
      const isHarmless = !isSuspicious && plain.has(tokens[0]?.text ?? '')
      const control = isHarmless ? undefined : controlOf(text, tokens)
      const findings = isHarmless
        ? []
        : findingsOf(text, { start, end, tokens, control }, this.#noTransaction)
      this.meetsData ||= copiesFromClient(tokens)
      this.#take({
        ...place,
        control,
        isRows: rowWords.has(tokens[0]?.text ?? ''),
        findings: findings.map((finding) => this.#placed(stretch, finding)),
      })
    }
    if (unclosed !== undefined) {
      const { what, at } = unclosed
      const reason = `a ${what} begins here and has no end`
      this.#openEnd = this.#placed(stretch, { rule: 'open-end', at, reason, remedy: 'close it' })
    }
    this.#before += text.length
  }

  script(): Script {
    const parts = this.#last === undefined ? this.#first : [...this.#first, this.#last]
    const blanked = [...this.#blanked]
    const modes: string[] = []
    const notes: string[] = []
    let inner = parts
    if (!this.#noTransaction) {
      const [first] = parts
      const last = parts.at(-1)
      if (first?.control?.kind === 'begin' && last?.control?.kind === 'commit') {
        const own = first.control.modes
        if (own !== undefined && this.#allStay && parts.slice(1, -1).every(staysInside)) {
          inner = parts.slice(1, -1)
          blanked.push(first, last)
          modes.push(own)
          notes.push('its own BEGIN and COMMIT are left out: the file is one transaction already')
        }
      }
      const [leading] = inner
      if (leading?.control?.kind === 'set' && leading.control.modes !== undefined) {
        inner = inner.slice(1)
        blanked.push(leading)
        modes.push(leading.control.modes)
      }
    }
    const open = this.#openEnd === undefined ? [] : [this.#openEnd]
    const findings = [...inner.flatMap((part) => part.findings), ...this.#findings, ...open]
    return {
      blanked,
      modes: modes.filter((mode) => mode !== '').join(', '),
      findings: findings.toSorted((a, b) => a.at - b.at),
      notes,
      onlyRows: parts.length > 0 && this.#allRows && inner.every(({ isRows }) => isRows),
    }
  }

  #take(part: Part): void {
    if (this.#first.length < 2) {
      this.#first.push(part)
      return
    }
    const between = this.#last
    this.#last = part
    if (between === undefined) return
    this.#allStay &&= staysInside(between)
    this.#allRows &&= between.isRows
    if (this.#findings.length < mostFindings) this.#findings.push(...between.findings)
  }

  #placed(stretch: Stretch, finding: Finding): PlacedFinding {
    return { ...finding, ...placeIn(stretch, finding.at), at: this.#before + finding.at }
  }
}

/** Whoever mends the first so many looks again. */
const mostFindings = 100

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

function staysInside({ control }: Pick<Part, 'control'>): boolean {
  return control === undefined || control.kind === 'set'
}

function findingsOf(text: string, part: Seen, noTransaction: boolean): Finding[] {
  const { tokens, control, start } = part
  const meta = tokens.find(({ kind }) => kind === 'meta')
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
  if (control !== undefined) {
    const finding = controlFinding(control, start, noTransaction)
    return finding === undefined ? [] : [finding]
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
        remedy: 'put it into a file that begins with “-- lockstep: no-transaction”',
      },
    ]
  }
  return sessionFinding(text, tokens)
}

function controlFinding(control: Control, at: number, noTransaction: boolean): Finding | undefined {
  const rule = 'transaction-control'
  if (control.kind === 'prepared') {
    const reason =
      'it ends a prepared transaction, which other databases of this schema do not have'
    return { rule, at, reason, remedy: 'take it out, and end that transaction by hand' }
  }
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
  if (!text.startsWith('\\', start)) return false
  return /^\\(?:un)?restrict [A-Za-z0-9]+$/.test(text.slice(start, end).trimEnd())
}

/** Data behind a COPY is no SQL: it is blanked before the next statement is looked for. */
function splitWithoutData(text: string): Split {
  let [split, left, from] = [splitStatements(text), text, 0]
  for (let round = 0; round < mostCopies; round += 1) {
    const data = split.statements
      .filter(({ start }) => start >= from)
      .map((statement) => dataBehind(left, statement))
      .find(Boolean)
    if (data === undefined) break
    left = blank(left, [data])
    from = data.start
    split = splitStatements(left)
  }
  return split
}

/** Of a file that copies more often, the first places are enough. */
const mostCopies = 20

/** Each character a space, but line ends: places hold. */
export function blank(text: string, parts: readonly Statement[]): string {
  let [result, from] = ['', 0]
  for (const { start, end } of parts.toSorted((a, b) => a.start - b.start)) {
    result += text.slice(from, start) + text.slice(start, end).replace(/[^\r\n]/gu, ' ')
    from = end
  }
  return from === 0 ? text : result + text.slice(from)
}
