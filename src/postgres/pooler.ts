import { Failure } from '../failure.ts'
import { describeAddress, type Address } from './address.ts'

/**
 * What is to be done where a connection pooler stands between: nothing; all as usual, since it keeps
 * a server session for each client; or only what a transaction can hold, since the next one may be
 * on another session.
 */
export type Pooler = 'refuse' | 'session' | 'allow'

/**
 * Nothing has been set or locked yet.
 *
 * @throws {Failure} POOLER_BETWEEN, unless a pooler is allowed for
 */
export function judgePooler(address: Address, pooler: Pooler): void {
  const place = describeAddress(address)
  if (address.options !== undefined) throw optionsRefused(place)
  if (pooler !== 'refuse') return
  throw new Failure('POOLER_BETWEEN', `${place} is a connection pooler, not the server itself`, [
    'use the address of the server, or',
    'set LOCKSTEP_POOLER=session, if the pooler keeps a server session for each client (pool_mode=session), or',
    'set LOCKSTEP_POOLER=allow: no lock is held between files then; docs/poolers.md says what else is lost',
  ])
}

/** A pooler refuses them, or drops them without a word where it was told to ignore them. */
function optionsRefused(place: string): Failure {
  return new Failure(
    'POOLER_BETWEEN',
    `${place} is a connection pooler, which does not pass on the options of the address`,
    [
      'use the address of the server, or',
      'take the options out and keep them with the role: alter role ROLE set NAME = VALUE',
    ],
  )
}

/**
 * A pooler refuses a log-in with one SQLSTATE for everything (PgBouncer: 08P01), in words that are
 * never translated.
 *
 * @returns whether waiting may help
 * @throws {Failure} POOLER_BETWEEN
 */
export function judgePoolerError(said: string, place: string): boolean {
  if (said.includes('unsupported startup parameter')) throw optionsRefused(place)
  return /server_login_retry|no more connections allowed|query_wait_timeout/.test(said)
}
