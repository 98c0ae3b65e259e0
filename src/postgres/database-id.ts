import { hash } from 'node:crypto'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

const ownOid = `(select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`

/**
 * Tells this database from any other, also from one of the same address that was made anew, and tells
 * nothing about it: the first 16 digits of SHA-256 over `lockstep`, the system identifier and the OID.
 * A standby has that of its primary. Where a role may not ask for the system identifier, the OID is all.
 */
export async function databaseId(on: Session): Promise<string> {
  const [row] = await ask(
    on,
    `(select system_identifier from pg_catalog.pg_control_system())`,
  ).catch((error: unknown) => {
    if (!(error instanceof ServerError) || error.sqlState !== '42501') throw error
    return ask(on, `''`)
  })
  return hash('sha256', `lockstep ${row?.system} ${row?.oid}`).slice(0, 16)
}

async function ask(on: Session, system: string) {
  return await on.query<{ system: string; oid: string }>(
    `select ${system}::pg_catalog.text as system, ${ownOid}::pg_catalog.text as oid`,
  )
}
