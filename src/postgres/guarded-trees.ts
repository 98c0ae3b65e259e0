import { Failure } from '../failure.ts'
import type { Allowance } from '../files/allowance.ts'
import { sqlName } from '../files/table-name.ts'
import type { Before } from './before.ts'
import { resolve } from './census.ts'
import type { Terms, Work } from './envelope.ts'
import { literal } from './quote.ts'
import type { Session } from './session.ts'
import { shortName } from './verdict.ts'

/** A guarded table, a partition or a child of one. */
interface Member {
  readonly root: number
  readonly oid: number
  /** `crm.leads`, quoted where it must be, and the guarded table that it belongs to. */
  readonly table: string
  readonly rootTable: string
  /** The file may take it away. */
  readonly mayGo: boolean
}

/**
 * Who belongs to guarded tables: asked before a statement that no transaction holds, and behind it.
 * Of what such statements do only this can take rows away.
 */
export async function treesOf(
  on: Session,
  { guardTables, schema }: Terms,
  allowances: readonly Allowance[],
): Promise<readonly Member[]> {
  if (guardTables.length === 0) return []
  const { found } = await resolve(on, guardTables, schema)
  const may = allowances
    .filter(({ words }) => words.includes('detach'))
    .map(({ table }) => `pg_catalog.to_regclass(${literal(sqlName(table))})`)
  const mayGo = `array[${may.join(',')}]::pg_catalog.oid[]`
  return await on.query<Member>(`
    with recursive tree (root, oid) as (
      select root, root from pg_catalog.unnest('{${found.map(({ oid }) => oid).join(',')}}'::pg_catalog.oid[]) as root
      union
      select tree.root, inhrelid from tree join pg_catalog.pg_inherits on inhparent = tree.oid
    )
    select tree.root::pg_catalog.int8::pg_catalog.float8 as root, tree.oid::pg_catalog.int8::pg_catalog.float8 as oid,
      ${fullName('own')} as "table", ${fullName('whole')} as "rootTable",
      tree.root = any (${mayGo}) or tree.oid = any (${mayGo}) as "mayGo"
    from tree join pg_catalog.pg_class own on own.oid = tree.oid join pg_catalog.pg_class whole on whole.oid = tree.root
    order by 3`)
}

function fullName(of: string): string {
  return `(select pg_catalog.format('%I.%I', nspname, ${of}.relname) from pg_catalog.pg_namespace where oid = ${of}.relnamespace)`
}

/** What the statement would leave of them, as far as its text tells. */
export function withoutDetached(trees: readonly Member[], before: Before): readonly Member[] {
  return before.way === 'detach' ? trees.filter(({ oid }) => oid !== before.partition) : trees
}

/** @throws {Failure} GUARD_VIOLATED where members are gone that the file may not take away */
export function refuseLoss(
  before: readonly Member[],
  after: readonly Member[],
  { file, step }: Pick<Work, 'file' | 'step'>,
  { guardTables }: Pick<Terms, 'guardTables'>,
  isDone: boolean,
): void {
  const isThere = (one: Member): boolean =>
    after.some(({ root, oid }) => root === one.root && oid === one.oid)
  const lost = before.find((member) => !member.mayGo && !isThere(member))
  if (lost === undefined) return
  const part = shortName(lost.table, guardTables)
  const whole = shortName(lost.rootTable, guardTables)
  const which = `statement ${step?.ordinal} of ${file}`
  const line = `-- lockstep: allow detach on ${whole}`
  throw isDone
    ? new Failure('GUARD_VIOLATED', `${which} has taken ${part} from ${whole}`, [
        'it ran outside of a transaction: it cannot be rolled back, and is recorded as done',
        'look what is lost; the next run goes on behind it',
      ])
    : new Failure('GUARD_VIOLATED', `${which} would detach ${part} from ${whole}`, [
        'it has not been run',
        'if it is meant, write above its first statement:',
        line,
      ])
}
