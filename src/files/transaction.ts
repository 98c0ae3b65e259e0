import { Cursor } from './cursor.ts'
import type { Token } from './statements.ts'

/** What a statement does to the transaction around it. */
export type Control =
  /** Its modes, `ISOLATION LEVEL SERIALIZABLE` for example; undefined where there are others. */
  | { readonly kind: 'begin'; readonly modes: string | undefined }
  | { readonly kind: 'commit' }
  | { readonly kind: 'set'; readonly modes: string | undefined }
  /** COMMIT PREPARED and ROLLBACK PREPARED: ends one that is of no session any more. */
  | { readonly kind: 'prepared' }
  /** Whatever else opens or ends a transaction. */
  | { readonly kind: 'other' }

/**
 * Undefined for all that leaves the transaction as it is: savepoints too, which stay within it.
 */
export function controlOf(text: string, tokens: readonly Token[]): Control | undefined {
  const at = new Cursor(text, tokens)
  if (at.takes('BEGIN')) {
    takesNoise(at)
    return { kind: 'begin', modes: modesOf(at) }
  }
  if (at.takes('COMMIT', 'PREPARED') || at.takes('ROLLBACK', 'PREPARED'))
    return { kind: 'prepared' }
  if (at.takes('START', 'TRANSACTION')) return { kind: 'begin', modes: modesOf(at) }
  if (at.takes('SET', 'TRANSACTION') || at.takes('SET', 'LOCAL', 'TRANSACTION')) {
    return { kind: 'set', modes: modesOf(at) }
  }
  if (at.takes('COMMIT') || at.takes('END')) {
    takesNoise(at)
    at.takes('AND', 'NO', 'CHAIN')
    return at.isAtEnd ? { kind: 'commit' } : { kind: 'other' }
  }
  if (at.takes('ROLLBACK')) {
    takesNoise(at)
    return at.takes('TO') ? undefined : { kind: 'other' }
  }
  return at.takes('ABORT') || at.takes('PREPARE', 'TRANSACTION') ? { kind: 'other' } : undefined
}

function takesNoise(at: Cursor): void {
  if (!at.takes('WORK')) at.takes('TRANSACTION')
}

const modes = [
  ['ISOLATION', 'LEVEL', 'SERIALIZABLE'],
  ['ISOLATION', 'LEVEL', 'REPEATABLE', 'READ'],
  ['ISOLATION', 'LEVEL', 'READ', 'COMMITTED'],
  ['ISOLATION', 'LEVEL', 'READ', 'UNCOMMITTED'],
  ['READ', 'WRITE'],
  ['NOT', 'DEFERRABLE'],
  ['DEFERRABLE'],
]

/** All that stands here, if it is nothing but modes with which the ledger can be written. */
function modesOf(at: Cursor): string | undefined {
  const found: string[] = []
  while (!at.isAtEnd) {
    const mode = modes.find((words) => at.takes(...words))
    if (mode === undefined) return undefined
    found.push(mode.join(' '))
    at.takesMark(',')
  }
  return found.join(', ')
}
