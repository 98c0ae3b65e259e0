import { literal } from './quote.ts'

/** SQLSTATEs of the ledger's own functions. Class LS is not PostgreSQL's. */
export const ledgerStates = {
  lockTaken: 'LS001',
  alreadyApplied: 'LS002',
  rowGone: 'LS003',
  transactionEnded: 'LS004',
  notFinished: 'LS005',
  stepMoved: 'LS006',
  /** Rows of a guarded table may be lost: only exact mode can tell. */
  suspected: 'LS007',
  /** Of the guard. */
  violated: 'LS008',
  unreadable: 'LS009',
  /** The ledger, or a function of it, was altered. */
  altered: 'LS010',
} as const

/** A statement of plpgsql. */
export function raise(state: string, message: string): string {
  return `raise exception using errcode = ${literal(state)}, message = ${literal(message)}`
}
