import { Failure } from '../failure.ts'
import { exists, isThere, leftByReindex, noneOf, publicationsOf, type Before } from './before.ts'
import { digestOf } from './index-definition.ts'
import { leftIndexes, type LeftIndex } from './indexes.ts'
import { literal } from './quote.ts'
import type { Session } from './session.ts'

export interface Seen {
  readonly verdict: 'done' | 'not done' | 'unknown'
  /** What an interrupted try has left, and what mends it. */
  readonly left: readonly Left[]
}

export interface Left {
  /** `index public.i on public.t is INVALID`. */
  readonly what: string
  /** `drops it`, by whoever mends it. */
  readonly mend: string
  /** Runs bare. */
  readonly statement: string
  /** Where the right to mend it is missing, it may stay. */
  readonly isOptional: boolean
  /** Another session is at work on it. */
  readonly builderPid: number | undefined
}

/** What has become of it since. */
export async function see(on: Session, before: Before): Promise<Seen> {
  switch (before.way) {
    case 'index':
      return await seeIndex(on, before)
    case 'reindex':
      return { verdict: 'not done', left: (await leftByReindex(on, before)).map(dropIndex) }
    case 'detach':
      return await seeDetach(on, before)
    case 'gone':
      return verdict(before.oid !== null && !(await exists(on, before.what, `oid = ${before.oid}`)))
    case 'there':
      return verdict(!before.wasThere && (await isThere(on, before.what, before.name)))
    case 'publications':
      return verdict((await publicationsOf(on, before.name)) !== before.were)
    case 'again':
      return verdict(false)
    case 'unknown':
      return { verdict: 'unknown', left: [] }
  }
}

function verdict(isDone: boolean): Seen {
  return { verdict: isDone ? 'done' : 'not done', left: [] }
}

type IndexBefore = Extract<Before, { way: 'index' }>

/** @throws {Failure} INDEX_IN_THE_WAY: somebody else has given that name to another index since */
async function seeIndex(on: Session, before: IndexBefore): Promise<Seen> {
  const { table, index, indexes, definition } = before
  const name = index === null ? 'true' : `c.relname = ${literal(index)}::pg_catalog.name`
  const found = await leftIndexes(on, `i.indrelid = ${table} and ${noneOf(indexes)} and ${name}`)
  const valid = found.filter(({ isValid }) => isValid)
  // Without its name and its definition nobody can tell whose it is.
  if (index === null && definition === null && valid.length > 0)
    return { verdict: 'unknown', left: [] }
  const isSame = async ({ oid }: LeftIndex): Promise<boolean> =>
    definition === null || (await digestOf(on, oid)) === definition
  for (const each of valid) if (await isSame(each)) return verdict(true)
  const [other] = index === null ? [] : valid
  if (other !== undefined) {
    throw new Failure(
      'INDEX_IN_THE_WAY',
      `index ${other.index} on ${other.table} is not the one that this statement builds, and came since it was begun`,
    )
  }
  return { verdict: 'not done', left: found.filter(({ isValid }) => !isValid).map(dropIndex) }
}

function dropIndex({ index, table, builderPid }: LeftIndex): Left {
  return {
    what: `index ${index} on ${table} is INVALID, left by a try that was broken off`,
    mend: 'drops it, and builds it again',
    statement: `drop index concurrently ${index}`,
    // Of TOAST tables only a superuser can drop one; it takes space and no more.
    isOptional: index.startsWith('pg_toast.'),
    builderPid,
  }
}

async function seeDetach(
  on: Session,
  { parent, partition }: Extract<Before, { way: 'detach' }>,
): Promise<Seen> {
  const [row] = await on.query<{ isPending: boolean; names: [string, string] }>(`
    select inhdetachpending as "isPending", pg_catalog.json_build_array(${fullName('p')}, ${fullName('c')}) as names
    from pg_catalog.pg_inherits join pg_catalog.pg_class p on p.oid = inhparent join pg_catalog.pg_class c on c.oid = inhrelid
    where inhparent = ${parent} and inhrelid = ${partition}`)
  if (row === undefined) return verdict(true)
  if (!row.isPending) return verdict(false)
  const [from, name] = row.names
  const left = {
    what: `partition ${name} of ${from} is half detached, by a try that was broken off`,
    mend: 'brings that to its end',
    statement: `alter table ${from} detach partition ${name} finalize`,
    isOptional: false,
    builderPid: undefined,
  }
  return { verdict: 'not done', left: [left] }
}

function fullName(of: string): string {
  return `pg_catalog.format('%I.%I', (select nspname from pg_catalog.pg_namespace where oid = ${of}.relnamespace), ${of}.relname)`
}
