import { Failure } from '../failure.ts'
import type { QualifiedName } from '../files/cursor.ts'
import type { Lone } from '../files/lone.ts'
import { definitionDigest } from './index-definition.ts'
import { leftIndexes, type LeftIndex } from './indexes.ts'
import { identifier, literal, optional } from './quote.ts'
import type { Session } from './session.ts'

/**
 * How one sees afterwards whether a statement was done that no transaction holds together with its
 * row: what was there before it, as its row keeps it.
 */
export type Before = { readonly kind: Lone['kind'] } & Way

type Way =
  | {
      readonly way: 'index'
      readonly table: number
      /** Null where PostgreSQL chooses a name. */
      readonly index: string | null
      /** All that the table had. */
      readonly indexes: readonly number[]
      /** Of what is to be built; null where that cannot be told beforehand. */
      readonly definition: string | null
    }
  | {
      readonly way: 'reindex'
      readonly tables: readonly number[] | null
      readonly invalid: readonly number[]
    }
  | { readonly way: 'detach'; readonly parent: number; readonly partition: number }
  | { readonly way: 'gone'; readonly what: Catalog; readonly oid: number | null }
  | {
      readonly way: 'there'
      readonly what: Catalog
      readonly name: string
      readonly wasThere: boolean
    }
  | { readonly way: 'publications'; readonly name: string; readonly were: string | null }
  /** It does no harm to run it again. */
  | { readonly way: 'again' }
  /** Nobody can tell. */
  | { readonly way: 'unknown' }

type Catalog = keyof typeof catalogs
const catalogs = {
  index: { table: 'pg_class', name: 'relname' },
  database: { table: 'pg_database', name: 'datname' },
  tablespace: { table: 'pg_tablespace', name: 'spcname' },
  subscription: { table: 'pg_subscription', name: 'subname' },
} as const

/** A statement as it is written, and the schema of the ledger. */
interface Asked {
  readonly statement: string
  readonly schema: string
}

/**
 * Asked where the statement itself would look up its names: under the settings of the file.
 * `docs/no-transaction.md` says the same, a kind a row.
 *
 * @throws {Failure} INDEX_IN_THE_WAY
 */
export async function beforeOf(on: Session, lone: Lone, asked: Asked): Promise<Before> {
  return { kind: lone.kind, ...(await wayOf(on, lone, asked)) }
}

async function wayOf(on: Session, lone: Lone, asked: Asked): Promise<Way> {
  switch (lone.kind) {
    case 'create-index':
      return await beforeIndex(on, lone, asked)
    case 'drop-index': {
      // PostgreSQL refuses more than one.
      const index = `pg_catalog.to_regclass(${relation(lone.indexes[0])})`
      return { way: 'gone', what: 'index', oid: await oidOf(on, `${index}::pg_catalog.oid`) }
    }
    case 'reindex':
      return await beforeReindex(on, lone)
    case 'detach-partition':
      return await beforeDetach(on, lone)
    case 'create-database':
      return await there(on, 'database', lone.name)
    case 'create-tablespace':
      return await there(on, 'tablespace', lone.name)
    case 'create-subscription':
      return await there(on, 'subscription', lone.name)
    case 'drop-database':
      return await gone(on, 'database', lone.name)
    case 'drop-tablespace':
      return await gone(on, 'tablespace', lone.name)
    case 'drop-subscription':
      return await gone(on, 'subscription', lone.name)
    case 'alter-subscription':
      return { way: 'publications', name: lone.name, were: await publicationsOf(on, lone.name) }
    case 'vacuum':
    case 'cluster':
    case 'move-database':
    case 'alter-system':
      return { way: 'again' }
    case 'call':
    case 'do':
      return { way: 'unknown' }
  }
}

async function gone(on: Session, what: Catalog, name: string): Promise<Way> {
  const { table, name: column } = catalogs[what]
  const row = `(select oid from pg_catalog.${table} where ${column} = ${literal(name)})`
  return { way: 'gone', what, oid: await oidOf(on, row) }
}

async function there(on: Session, what: Catalog, name: string): Promise<Way> {
  return { way: 'there', what, name, wasThere: await isThere(on, what, name) }
}

/** @throws {Failure} INDEX_IN_THE_WAY: what has that name was not built by this file */
async function beforeIndex(
  on: Session,
  { table, index, ifNotExists }: Extract<Lone, { kind: 'create-index' }>,
  { statement, schema }: Asked,
): Promise<Way> {
  interface Row {
    table: number
    indexes: number[]
    other: { name: string; on: string; isValid: boolean } | null
  }
  const [row] = await on.query<Row>(`
    select t.oid::pg_catalog.int8::pg_catalog.float8 as "table",
      coalesce((select pg_catalog.json_agg(indexrelid::pg_catalog.int8) from pg_catalog.pg_index where indrelid = t.oid), '[]') as indexes,
      (select pg_catalog.json_build_object('name', pg_catalog.format('%I.%I', n.nspname, c.relname),
          'on', coalesce(i.indrelid::pg_catalog.regclass::text, ''), 'isValid', coalesce(i.indisvalid, true))
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          left join pg_catalog.pg_index i on i.indexrelid = c.oid
        where c.relnamespace = t.relnamespace and c.relname = ${optional(index)}::pg_catalog.name) as other
    from pg_catalog.pg_class t where t.oid = pg_catalog.to_regclass(${relation(table)})`)
  // PostgreSQL will say that the table is missing.
  if (row === undefined) return { way: 'again' }
  const { other } = row
  if (other !== null && !other.isValid) {
    throw new Failure(
      'INDEX_IN_THE_WAY',
      `index ${other.name} on ${other.on} is INVALID, and was there before this statement`,
      [
        'no query uses it, every write keeps it; remove it, and run again:',
        `drop index concurrently ${other.name};`,
      ],
    )
  }
  if (other !== null && !ifNotExists) {
    throw new Failure('INDEX_IN_THE_WAY', `${other.name} was there before this statement`)
  }
  const definition = await definitionDigest(on, schema, relationName(table), statement)
  return { way: 'index', table: row.table, index: index ?? null, indexes: row.indexes, definition }
}

/** The tables of which indexes are rebuilt, null for any: partitions and TOAST tables, too. */
async function beforeReindex(
  on: Session,
  { what, name }: Extract<Lone, { kind: 'reindex' }>,
): Promise<Way> {
  const tables =
    what !== 'index' && what !== 'table'
      ? null
      : await oidsOf(
          on,
          `
        with named as (
          select coalesce(i.indrelid, c.oid) as oid from pg_catalog.pg_class c
            left join pg_catalog.pg_index i on i.indexrelid = c.oid
          where c.oid = pg_catalog.to_regclass(${relation(name)})
        ), tree as (
          select oid from named union select relid from named, pg_catalog.pg_partition_tree(named.oid)
        )
        select oid from tree
        union select c.reltoastrelid from pg_catalog.pg_class c join tree on tree.oid = c.oid where c.reltoastrelid <> 0`,
        )
  const invalid = await leftByReindex(on, { tables, invalid: [] })
  return { way: 'reindex', tables, invalid: invalid.map(({ oid }) => oid) }
}

/** Indexes under the names that REINDEX CONCURRENTLY gives to the new and to the old one. */
export async function leftByReindex(
  on: Session,
  { tables, invalid }: Pick<Extract<Before, { way: 'reindex' }>, 'tables' | 'invalid'>,
): Promise<LeftIndex[]> {
  const where = tables === null ? 'true' : `i.indrelid = any (${oids(tables)})`
  const names = `c.relname ~ '_cc(new|old)[0-9]*$' and not i.indisvalid`
  return await leftIndexes(on, `${where} and ${noneOf(invalid)} and ${names}`)
}

async function beforeDetach(
  on: Session,
  { table: parent, partition }: Extract<Lone, { kind: 'detach-partition' }>,
): Promise<Way> {
  const [row] = await on.query<{ parent: number; partition: number }>(`
    select inhparent::pg_catalog.int8::pg_catalog.float8 as parent, inhrelid::pg_catalog.int8::pg_catalog.float8 as partition
    from pg_catalog.pg_inherits
    where inhparent = pg_catalog.to_regclass(${relation(parent)}) and inhrelid = pg_catalog.to_regclass(${relation(partition)})`)
  // PostgreSQL will say that it is no partition.
  return row === undefined ? { way: 'again' } : { way: 'detach', ...row }
}

export async function publicationsOf(on: Session, name: string): Promise<string | null> {
  const [row] = await on.query<{ names: string }>(`
    select subpublications::pg_catalog.text as names from pg_catalog.pg_subscription
    where subname = ${literal(name)}::pg_catalog.name
      and subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())`)
  return row?.names ?? null
}

export async function isThere(on: Session, what: Catalog, name: string): Promise<boolean> {
  return await exists(on, what, `${catalogs[what].name} = ${literal(name)}::pg_catalog.name`)
}

export async function exists(on: Session, what: Catalog, where: string): Promise<boolean> {
  return (
    (await on.query(`select from pg_catalog.${catalogs[what].table} where ${where}`)).length > 0
  )
}

async function oidOf(on: Session, expression: string): Promise<number | null> {
  const [row] = await on.query<{ oid: number | null }>(
    `select ${expression}::pg_catalog.int8::pg_catalog.float8 as oid`,
  )
  return row?.oid ?? null
}

async function oidsOf(on: Session, query: string): Promise<number[]> {
  const rows = await on.query<{ oid: number }>(
    `select oid::pg_catalog.int8::pg_catalog.float8 as oid from (${query}) as found`,
  )
  return rows.map(({ oid }) => oid)
}

export function noneOf(indexes: readonly number[]): string {
  return `i.indexrelid <> all (${oids(indexes)})`
}

function oids(list: readonly number[]): string {
  return `'{${list.join(',')}}'::pg_catalog.oid[]`
}

function relation(name: QualifiedName | undefined): string {
  return literal(relationName(name))
}

function relationName(name: QualifiedName | undefined): string {
  return (name ?? []).map(identifier).join('.')
}
