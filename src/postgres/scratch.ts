import { Failure } from '../failure.ts'
import { identifier, literal } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

/**
 * Makes an empty database beside the one of the session, with its encoding and its order of characters.
 *
 * @throws {Failure} PRIVILEGE_MISSING
 */
export async function createScratch(on: Session, name: string): Promise<void> {
  const [like] = await on.query<Record<'encoding' | 'collate' | 'ctype', string>>(
    `select pg_catalog.pg_encoding_to_char(encoding) as encoding, datcollate as collate, datctype as ctype
     from pg_catalog.pg_database where datname = pg_catalog.current_database()`,
  )
  const { encoding = 'UTF8', collate = 'C', ctype = 'C' } = like ?? {}
  try {
    await on.execute(
      `create database ${identifier(name)} template template0
        encoding ${literal(encoding)} lc_collate ${literal(collate)} lc_ctype ${literal(ctype)}`,
      Infinity,
    )
  } catch (error) {
    if (!(error instanceof ServerError) || error.sqlState !== '42501') throw error
    throw new Failure('PRIVILEGE_MISSING', `this role may not make a database: ${error.said}`, [
      'let a superuser run: alter role ROLE createdb,',
      'or use the address of a server that is there for tests',
    ])
  }
}

/** Nobody else uses them: whoever is still connected is our own. */
export async function dropScratch(on: Session, names: readonly string[]): Promise<void> {
  for (const name of names)
    await on.execute(`drop database if exists ${identifier(name)} with (force)`, Infinity)
}
