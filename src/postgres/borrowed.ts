import { inDollars } from './quote.ts'
import type { Session } from './session.ts'

/** What others have set on the session that a pooler lends for a transaction. */
export interface Borrowed {
  readonly settings: Readonly<Record<string, string>>
  readonly role: string
}

/** Begins the transaction, which sets `transaction_read_only`; to its end the session is ours. */
export async function borrow(on: Session, modes: string): Promise<Borrowed> {
  const [, [borrowed]] = await Promise.all([
    on.execute(`begin read write${modes === '' ? '' : `, ${modes}`}`),
    on.query<Borrowed>(`
      select pg_catalog.current_setting('role') as role,
        coalesce(pg_catalog.json_object_agg(name, setting), '{}') as settings
      from pg_catalog.pg_settings
      where source = 'session' and name <> 'transaction_read_only'`),
  ])
  if (borrowed === undefined) throw new Error('a query without a row')
  // Before the file arrives: the server reads a whole message with the setting of that moment.
  if (on.frames.parameters.get('standard_conforming_strings') === 'off')
    await on.execute('set local standard_conforming_strings = on')
  return borrowed
}

/**
 * Puts the session back as it was found, from whatever has been set since. Kept here and not on the
 * session, where a RESET ALL of the file would reach it. Behind a SET LOCAL, only a RESET leaves no
 * trace: else PostgreSQL takes the value for one that somebody has set (AtEOXact_GUC).
 */
export function giveBack({ settings, role }: Borrowed): string {
  // The role comes last: it may lack the rights for the others.
  const calls = Object.entries({ ...settings, role }).map(
    ([name, value]) => `pg_catalog.set_config(${inDollars(name)},${inDollars(value)},false)`,
  )
  // Our own COMMIT waits for the disk, whatever others have set.
  const durably = 'synchronous_commit' in settings ? 'SET LOCAL synchronous_commit TO DEFAULT;' : ''
  return `RESET ALL;SELECT ${calls.join(',')};${durably}`
}
