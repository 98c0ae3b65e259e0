import { inDollars } from './quote.ts'
import type { Session } from './session.ts'

/**
 * Settings of the session, by SET and not at log-in: poolers refuse unknown start-up parameters.
 * They let the server notice a dead client within seconds, so that its lock is freed, and keep a
 * role's or database's own time-outs from cutting a run. PostgreSQL manual, 20.3 and 20.11.
 */
export function sessionSettings(major: number, how: 'SET' | 'SET LOCAL' = 'SET'): string {
  return [
    'client_connection_check_interval=1000',
    // A silent client is asked after 5 s, and given up after 7.
    'tcp_keepalives_idle=5',
    'tcp_keepalives_interval=1',
    'tcp_keepalives_count=3',
    // Keepalive is silent while something that was sent is not acknowledged. So an answer into the
    // void, at the last moment before that, takes as long again: 15 s in all, with a second for the check.
    'tcp_user_timeout=7000',
    'idle_in_transaction_session_timeout=60000',
    'idle_session_timeout=0',
    ...(major >= 17 ? ['transaction_timeout=0'] : []),
    // For our own statements: a file's text has its own.
    'lock_timeout=10000',
    'statement_timeout=0',
    'client_min_messages=warning',
    // A statement that row security would silently narrow is an error instead (42501).
    'row_security=off',
    'default_transaction_read_only=off',
    // As the lexer reads files, whatever a role or a database has been given.
    'standard_conforming_strings=on',
  ]
    .map((setting) => `${how} ${setting};`)
    .join('')
}

/**
 * What a session says at log-in, once more. A pooler's server sessions began without it, so that
 * RESET ALL forgets it there: a file would be stored in the wrong encoding, and nobody could see
 * whose session it is.
 */
export function startSettings(application: string, how: 'SET' | 'SET LOCAL' = 'SET'): string {
  return `${how} client_encoding=UTF8;${how} application_name=${inDollars(application)};`
}

/** Major version of the server that a session talks to: 18 of `18.4 (Debian 18.4-1)`. */
export function serverMajor(on: Session): number {
  return Number.parseInt(serverVersion(on), 10)
}

/**
 * Lets the server send the figures of a transaction at its end, from PostgreSQL 15 on: else they would be
 * among those of the next.
 */
export function sendFigures(major: number): string {
  return major >= 15 ? 'SELECT pg_catalog.pg_stat_force_next_flush();' : ''
}

/** `18.4`, without what a distribution adds. */
export function serverVersion(on: Session): string {
  return (on.frames.parameters.get('server_version') ?? '0').split(' ')[0] ?? '0'
}
