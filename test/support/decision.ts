import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { Decision } from '../../src/decide.ts'
import { digestsOf } from '../../src/changes.ts'
import { noDirectives, type Directives } from '../../src/files/directives.ts'
import type { Entry } from '../../src/files/entry.ts'
import type { Folder, Migration } from '../../src/files/folder.ts'
import type { Meaning } from '../../src/files/meaning.ts'
import { compareNames } from '../../src/files/name.ts'
import type { LedgerRow, Step } from '../../src/recorded.ts'

/**
 * A file of a folder. Its text stands for its bytes: statements are words between dots, and quotes
 * at the end are comments, so that `a.b` and `a.b''` mean the same.
 */
export function fileOf(
  name: string,
  text: string,
  directives: Partial<Directives> = {},
): Migration {
  return {
    file: name,
    version: BigInt(/^[0-9]+/.exec(name)?.[0] ?? 0),
    text,
    checksum: hashOf(text),
    directives: { ...noDirectives, ...directives },
    meaning: meaningOf(text),
  }
}

export function rowOf(
  id: number,
  name: string,
  text: string,
  more: Partial<LedgerRow> = {},
): LedgerRow {
  return {
    id,
    previous: id - 1,
    name,
    checksum: hashOf(text),
    meanings: [meaningOf(text).file],
    how: 'transaction',
    breaksBefore: null,
    over: [],
    finished: true,
    flushed: true,
    digests: digestsOf(fileOf(name, text)),
    ...more,
  }
}

/** What a baseline without the file knows of it. */
export function coverOf(name: string, text: string): Entry {
  const { meaning, ...file } = fileOf(name, text)
  return { ...file, checksum: '', meaning: { file: meaning.file, statements: [] } }
}

const meanings = new Map<string, Meaning>()

function meaningOf(text: string): Meaning {
  const known = meanings.get(text)
  if (known !== undefined) return known
  const words = text.replace(/'+$/, '')
  const statements = words === '' ? [] : words.split('.').map(hashOf)
  const file = hash('sha256', statements.map((statement) => `${statement}\n`).join(''))
  const meaning = { file, statements }
  meanings.set(text, meaning)
  return meaning
}

const hashes = new Map<string, string>()

/** SHA-256 as a folder has it; kept, since a property test asks for few texts very often. */
function hashOf(text: string): string {
  const known = hashes.get(text) ?? hash('sha256', text)
  hashes.set(text, known)
  return known
}

/**
 * A folder on one line. `2_b` is a file whose content is `b`, so `3_b` is the same under another
 * number; `2_b=x` has the content `x`, and `2_b=` is blank. Behind it `!` is after-rollout, `&`
 * no-transaction, `<5` breaks-before 5. `baseline:2` is a baseline up to 2, `baseline:2:1_a,2_b`
 * one that covers these.
 */
export function folderOf(line: string): Folder {
  const files: Migration[] = []
  let baseline: Folder['baseline']
  for (const word of line.split(' ')) {
    const [, upto, covers] = /^baseline:(\d+)(?::(.*))?$/.exec(word) ?? []
    if (upto !== undefined) {
      const entries = covers?.split(',').map((cover) => {
        const { name, content } = nameAndContent(cover)
        return coverOf(name, content)
      })
      baseline = { text: 'b', checksum: 'b', upto: BigInt(upto), version: upto, covers: entries }
      continue
    }
    const [, file = '', marks = '', breaks] =
      /^(\d+_\w+(?:=[\w.']*)?)([!&]*)(?:<(\d+))?$/.exec(word) ?? []
    const { name, content } = nameAndContent(file)
    const directives = {
      afterRollout: marks.includes('!'),
      noTransaction: marks.includes('&'),
      breaksBefore: breaks === undefined ? undefined : BigInt(breaks),
    }
    files.push(fileOf(name, content, directives))
  }
  return { dir: 'sql', files: files.toSorted(compareNames), baseline, warnings: [] }
}

/**
 * A ledger on one line: names as in a folder, with ids from 1 on. `~1,2` are the ids of `over`, `*`
 * is a row that was never finished, `?` a relaxed commit, `#` one of a baseline, `^5` breaks before
 * 5, `<7` has another previous row than the one before.
 */
export function ledgerOf(line: string): LedgerRow[] {
  const words = line === '' ? [] : line.split(' ')
  return words.map((word, index) => {
    const [, file = '', over, mark, breaks, previous] =
      /^(\d+_\w+(?:=[\w.']*)?)(?:~([\d,]+))?([*?#])?(?:\^(\d+))?(?:<(\d+))?$/.exec(word) ?? []
    const { name, content } = nameAndContent(file)
    return rowOf(index + 1, name, content, {
      over: over?.split(',').map(Number) ?? [],
      finished: mark !== '*',
      flushed: mark !== '?',
      how: mark === '#' ? 'baseline' : 'transaction',
      breaksBefore: breaks ?? null,
      previous: previous === undefined ? index : Number(previous),
    })
  })
}

/** Steps on one line: `7_n=a.b 8_m=c?`; a question mark is a last statement that only began. */
export function stepsOf(line: string): Step[] {
  const words = line === '' ? [] : line.split(' ')
  return words.flatMap((word) => {
    const [, file = '', mark] = /^(\d+_\w+=[\w.]*)(\?)?$/.exec(word) ?? []
    const { name, content } = nameAndContent(file)
    const { statements } = meaningOf(content)
    return statements.map((meaning, index) => {
      const isBegun = mark === '?' && index === statements.length - 1
      return { file: name, ordinal: index + 1, meaning, state: isBegun ? 'begun' : 'done' }
    })
  })
}

function nameAndContent(word: string): { name: string; content: string } {
  const [, name, content] = /^(\d+_\w+)(?:=(.*))?$/.exec(word) ?? []
  assert.ok(name, `“${word}” is no file`)
  return { name, content: content ?? name.replace(/^\d+_/, '') }
}

/** A decision on one line: `pending 3_c 4_d, head 2, over 2`, `refused FILE_CHANGED 1_a`. */
export function lineOfDecision(decision: Decision): string {
  if (decision.kind === 'up-to-date') return ['up-to-date', ...laterOf(decision.later)].join(', ')
  if (decision.kind === 'refused') {
    const { code, message, more } = decision.failure
    // What has a file in front names it as a problem; ways on do not.
    const problems = [message, ...more.filter((line) => /^\d+_\w/.test(line))]
    const named = problems.join(' ').match(/\b\d+_\w+/g) ?? []
    return ['refused', code, ...named].join(' ')
  }
  const { baseline, covered, pending, later, head, over, mustFlush, amendments, takeOvers } =
    decision
  return [
    ...(baseline ? [`baseline ${baseline.upto} for ${namesOf(covered)}`] : []),
    `pending ${namesOf(pending)}`.trimEnd(),
    ...laterOf(later),
    `head ${head}`,
    ...(over.length > 0 ? [`over ${over.join(' ')}`] : []),
    ...(mustFlush ? ['flush'] : []),
    ...amendments.map(({ id, breaksBefore }) => `row ${id} breaks ${breaksBefore ?? 'none'}`),
    ...takeOvers.map(({ from, to }) => `${from} goes on as ${to}`),
  ].join(', ')
}

function laterOf(later: readonly Entry[]): string[] {
  return later.length > 0 ? [`later ${namesOf(later)}`] : []
}

function namesOf(files: readonly Entry[]): string {
  return files.map(({ file }) => file).join(' ')
}
