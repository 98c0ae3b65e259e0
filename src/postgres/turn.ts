import { Failure } from '../failure.ts'
import type { Lone } from '../files/lone.ts'
import { resetOwned, type Step, type Terms, type Work } from './envelope.ts'
import type { Session } from './session.ts'
import { serverMajor } from './settings.ts'

/** A statement of the file, with all that it needs. */
export interface Turn {
  readonly work: Work & { readonly step: Step }
  readonly lone: Lone | undefined
}

/** The session as the statement wants it. Bare statements may wait for a lock as long as they must. */
export async function makeReady(on: Session, work: Turn['work'], terms: Terms): Promise<void> {
  const { file, step, lockTimeoutMs = 0, statementTimeoutMs = terms.statementTimeoutMs } = work
  const [row] = await on.query<{ taken: boolean }>(
    `select pg_catalog.pg_try_advisory_lock(${terms.lockKey}) as taken`,
  )
  // A statement before it may have given the lock away.
  if (row?.taken !== true)
    throw new Failure('LEDGER_MOVED', `${file}: another session has taken the lock`)
  const ours = [
    `lock_timeout=${lockTimeoutMs}`,
    `statement_timeout=${statementTimeoutMs}`,
    // Whoever starts it anew loses what is done: the server goes on when its client is gone.
    'client_connection_check_interval=0',
  ]
  await tidy(on, terms)
  await on.execute(`${ours.map((setting) => `SET ${setting};`).join('')}${step.settings}`)
}

export async function tidy(on: Session, terms: Terms): Promise<void> {
  await on.execute(resetOwned(terms, serverMajor(on)))
}
