import type { CatalogObject } from '../differences.ts'
import { spaces, type ObjectClass } from './object-class.ts'
import { otherClasses } from './other-classes.ts'
import { literal } from './quote.ts'
import { relationClasses } from './relation-classes.ts'
import type { Session } from './session.ts'
import { typeClasses } from './type-classes.ts'

/** All that is compared of two databases but rows; `docs/check-baseline.md` has the same table. */
export const objectClasses: Readonly<Record<string, ObjectClass>> = {
  ...relationClasses,
  ...typeClasses,
  ...otherClasses,
}

/** Names are written as for a search_path that has none of them. */
export const plainPath = 'set search_path = pg_catalog, pg_temp;'

/**
 * All objects of a database but those of the ledger, of extensions and of PostgreSQL itself, class by
 * class and by name. The session must have the `plainPath`.
 *
 * @param ledger - the schema of the ledger
 */
export async function readCatalog(on: Session, ledger: string): Promise<CatalogObject[]> {
  const objects: CatalogObject[] = []
  for (const [kind, objectClass] of Object.entries(objectClasses)) {
    const found = await on.query<Omit<CatalogObject, 'class'>>(
      queryOf(objectClass, ledger),
      Infinity,
    )
    objects.push(...found.map((object) => ({ class: kind, ...object })))
  }
  return objects
}

function queryOf({ name, of, from, told, texts }: ObjectClass, ledger: string): string {
  return `with ${spaces(literal(ledger))}
    select (${name})::text as name, ${of === undefined ? 'null' : `(${of})::text`} as of,
      ${record(told)} as told, ${record(texts)} as texts
    from ${from} order by (${name})::text collate "C"`
}

function record(attributes: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(attributes).map(([name, sql]) => `${literal(name)}, (${sql})::text`)
  return `json_build_object(${pairs.join(', ')})`
}
