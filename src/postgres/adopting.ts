import type { Adoption } from '../adoption.ts'
import { openCall, type Terms } from './envelope.ts'
import { fence } from './ledger-format.ts'
import { identifier, literal } from './quote.ts'
import type { Session } from './session.ts'

/** Writes what is adopted in one transaction, behind the fence. */
export async function writeAdoption(
  on: Session,
  { records, head, over, meaning, forgets }: Adoption,
  terms: Pick<Terms, 'schema' | 'lockKey' | 'run'>,
): Promise<void> {
  const s = identifier(terms.schema)
  const work = { how: 'adopted', over } as const
  const opens = records.map((entry, index) => openCall(entry, head + index, work, terms))
  const changes = [
    ...(records.length === 0 ? [] : [`select ${s}.close(${head + 1}, ${head + records.length});`]),
    ...(meaning === undefined
      ? []
      : [
          `update ${s}.ledger set meanings = meanings || ${literal(meaning.meaning)}::pg_catalog.text
            where id = ${meaning.id};`,
        ]),
    ...(forgets === undefined ? [] : [`delete from ${s}.step where file = ${literal(forgets)};`]),
  ]
  await on.execute(`begin; ${fence(terms.lockKey)}; ${opens.join('')}${changes.join('')} commit`)
}
