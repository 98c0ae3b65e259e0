import { hash } from 'node:crypto'
import type { Decision, LedgerRow } from '../../src/decide.ts'
import { noDirectives } from '../../src/files/directives.ts'
import type { Migration } from '../../src/files/folder.ts'

/** A file of a folder: its content is its text, and stands for its checksum. */
export function fileOf(name: string, text: string): Migration {
  return {
    file: name,
    version: BigInt(/^[0-9]+/.exec(name)?.[0] ?? 0),
    text,
    checksum: checksumOf(text),
    directives: noDirectives,
    meaning: { file: checksumOf(text), statements: text === '' ? [] : [checksumOf(text)] },
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
    checksum: checksumOf(text),
    over: [],
    finished: true,
    flushed: true,
    ...more,
  }
}

const checksums = new Map<string, string>()

/** SHA-256 as a folder has it; kept, since a property test asks for few texts very often. */
function checksumOf(text: string): string {
  const checksum = checksums.get(text) ?? hash('sha256', text)
  checksums.set(text, checksum)
  return checksum
}

/** A decision on one line: `pending 3_c 4_d, head 2, over 2`, `refused FILE_CHANGED 1_a`. */
export function lineOfDecision(decision: Decision): string {
  if (decision.kind === 'up-to-date') return 'up-to-date'
  if (decision.kind === 'refused') {
    const { code, message, more } = decision.failure
    // The last line is the advice of the code, which names no file.
    const named = [message, ...more.slice(0, -1)].join(' ').match(/\b\d+_\w+/g) ?? []
    return ['refused', code, ...named].join(' ')
  }
  const { baseline, covered, pending, head, over, mustFlush } = decision
  return [
    ...(baseline ? [`baseline ${baseline.upto} for ${namesOf(covered)}`] : []),
    `pending ${namesOf(pending)}`.trimEnd(),
    `head ${head}`,
    ...(over.length > 0 ? [`over ${over.join(' ')}`] : []),
    ...(mustFlush ? ['flush'] : []),
  ].join(', ')
}

function namesOf(files: readonly Migration[]): string {
  return files.map(({ file }) => file).join(' ')
}
