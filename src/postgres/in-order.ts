import { Failure } from '../failure.ts'
import type { Tell } from '../events.ts'
import type { Applied } from './apply.ts'
import { applyAll } from './window.ts'
import type { Terms, Work } from './envelope.ts'
import type { Session } from './session.ts'
import { applyStepwise } from './stepwise.ts'

/**
 * Applies works in their order: those that are transactions many at a time, those that run statement
 * by statement with nothing else in flight.
 *
 * @throws {Failure} as `applyAll` and `applyStepwise`
 */
export async function* applyInOrder(
  on: Session,
  works: readonly Work[],
  terms: Terms,
  begins: (work: Work, isExact: boolean) => void,
  tell: Tell,
): AsyncGenerator<Applied> {
  for (let at = 0; at < works.length;) {
    const next = works.findIndex(({ how }, index) => index >= at && how === 'statements')
    const until = next === -1 ? works.length : next
    yield* applyAll(on, works.slice(at, until), terms, begins)
    const work = works[until]
    if (work !== undefined) {
      begins(work, false)
      const begunMs = performance.now()
      const landed = await applyStepwise(on, work, terms, begins, tell)
      yield { work, durationMs: performance.now() - begunMs, ...landed }
    }
    at = until + 1
  }
}

/** A pooler that shares sessions gives a lock to nobody, and such files need one: POOLER_BETWEEN. */
export function lacksLock(
  works: readonly Work[],
  { pooler }: Pick<Terms, 'pooler'>,
): Failure | undefined {
  const files = works.filter(({ how }) => how === 'statements').map(({ file }) => file)
  if (pooler !== 'allow' || files.length === 0) return undefined
  const [what, are] =
    files.length === 1 ? ['a no-transaction file', 'is'] : ['no-transaction files', 'are']
  return new Failure(
    'POOLER_BETWEEN',
    `${files.join(', ')} ${are} ${what}, which LOCKSTEP_POOLER=allow cannot apply: it holds no lock`,
    [
      'use the address of the server itself for this run, or',
      'set LOCKSTEP_POOLER=session, if the pooler keeps a server session for each client (pool_mode=session)',
    ],
  )
}
