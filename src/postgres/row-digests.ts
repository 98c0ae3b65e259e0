import type { CatalogObject } from '../differences.ts'
import { Failure } from '../failure.ts'
import { isOwn, spaces } from './object-class.ts'
import { literal } from './quote.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

/** A table with rows of its own, and what of it is to be compared. */
export interface RowTable {
  /** With its schema, quoted where need be. */
  readonly name: string
  /** Quoted, by name; without those that a clock or chance fills. */
  readonly columns: readonly string[]
  /** Columns that take their values from a sequence, each with the sequence. */
  readonly counted: readonly { readonly column: string; readonly sequence: string }[]
}

/** What is another value each time. */
const byClockOrChance = String.raw`\m(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|random_normal|gen_random_uuid|gen_random_bytes|uuidv4|uuidv7|uuid_generate_v[0-9]\w*)\(|\m(CURRENT_DATE|CURRENT_TIME|CURRENT_TIMESTAMP|LOCALTIME|LOCALTIMESTAMP)\M`

/**
 * The tables of a database. A column whose default is a clock or chance is left out, and so is one that
 * refers to such a column, and one that is generated.
 */
export async function readRowTables(on: Session, ledger: string): Promise<readonly RowTable[]> {
  return await on.query<RowTable>(
    `with recursive ${spaces(literal(ledger))}, changing (relation, number) as (
      select d.adrelid, d.adnum from pg_attrdef d
      where pg_get_expr(d.adbin, d.adrelid) ~ ${literal(byClockOrChance)}
      union
      select k.conrelid, key.own from changing
        join pg_constraint k on k.contype = 'f' and k.confrelid = changing.relation
        cross join unnest(k.conkey, k.confkey) as key (own, other)
      where key.other = changing.number
    )
    select c.oid::regclass::text as name,
      (select coalesce(json_agg(quote_ident(a.attname) order by a.attname collate "C"), '[]') from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
          and (a.attrelid, a.attnum) not in (select relation, number from changing)) as columns,
      (select coalesce(json_agg(json_build_object('column', quote_ident(a.attname), 'sequence', d.objid::regclass::text)
          order by a.attname collate "C"), '[]')
        from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
          join pg_class s on s.oid = d.objid and s.relkind = 'S'
        where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
          and d.deptype in ('a', 'i')) as counted
    from pg_class c join space on space.oid = c.relnamespace
    where c.relkind = 'r' and ${isOwn('pg_class', 'c.oid')} order by c.oid::regclass::text collate "C"`,
    Infinity,
  )
}

/** What of its rows can be compared: tables that are in both databases, by the columns that both have. */
export function inBoth(ours: readonly RowTable[], theirs: readonly RowTable[]): RowTable[] {
  return ours.flatMap((table) => {
    const other = theirs.find(({ name }) => name === table.name)
    if (other === undefined) return []
    const columns = table.columns.filter((column) => other.columns.includes(column))
    const counted = table.counted.filter(({ sequence }) =>
      other.counted.some((one) => one.sequence === sequence),
    )
    return [{ ...table, columns, counted }]
  })
}

/**
 * Counts and digests; the order of rows does not matter. Of a sequence only whether its next value is
 * free: how many values were thrown away on the way does not matter either.
 *
 * @throws {Failure} BASELINE_UNPROVEN where this role may not read all rows
 */
export async function readRows(on: Session, tables: readonly RowTable[]): Promise<CatalogObject[]> {
  const objects: CatalogObject[] = []
  for (const { name, columns, counted } of tables) {
    const row = `row(${columns.join(', ')})::text collate "C"`
    const sums = [0, 1].map((seed) => `sum(hashtextextended(${row}, ${seed}))`)
    const taken = counted.map(
      ({ column, sequence }) =>
        `(select case when seqincrement > 0 then max(t.${column}) >= next else min(t.${column}) <= next end
          from pg_sequence, lateral (select last_value + case when is_called then seqincrement else 0 end as next
            from ${sequence}) n where seqrelid = ${literal(sequence)}::regclass)`,
    )
    try {
      const [found] = await on.query<{ count: string; digest: string; taken: (boolean | null)[] }>(
        `select count(*)::text as count, concat_ws(' ', ${sums.join(', ')}) as digest,
          json_build_array(${taken.join(', ')}) as taken from only ${name} t`,
        Infinity,
      )
      const bad = counted.filter((_, index) => found?.taken[index] === true)
      const told = {
        count: found?.count ?? '0',
        'next values':
          bad.length === 0 ? 'free' : `taken: ${bad.map(({ column }) => column).join(', ')}`,
      }
      objects.push({ class: 'rows', name, of: name, told, texts: { content: found?.digest ?? '' } })
    } catch (error) {
      if (!(error instanceof ServerError)) throw error
      throw new Failure('BASELINE_UNPROVEN', `the rows of ${name} cannot be read: ${error.said}`, [
        'let the role of this check bypass row security, and read what its files make',
      ])
    }
  }
  return objects
}
