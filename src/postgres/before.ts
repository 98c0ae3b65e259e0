import { Failure } from '../errors.ts'
import type { Bare, BareKind } from '../files/bare.ts'
import { definitionDigest } from './index-definition.ts'
import { leftIndexes, type LeftIndex } from './indexes.ts'
import { identifier, literal } from './quote.ts'
import type { Session } from './session.ts'

/**
 * How one sees afterwards whether a statement was done that no transaction holds together with its
 * row: what was there before it, as its row keeps it.
 */
export type Before = { readonly kind: BareKind } & (
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
  | { readonly way: 'prepared'; readonly gid: string; readonly wasThere: boolean }
  | { readonly way: 'publications'; readonly name: string; readonly were: string | null }
  /** It does no harm to run it again. */
  | { readonly way: 'again' }
  /** Nobody can tell. */
  | { readonly way: 'unknown' }
)

type Catalog = keyof typeof catalogs
const catalogs = {
  index: { table: 'pg_class', name: 'relname' },
  database: { table: 'pg_database', name: 'datname' },
  tablespace: { table: 'pg_tablespace', name: 'spcname' },
  subscription: { table: 'pg_subscription', name: 'subname' },
} as const

/** Asked where the statement itself would look up its names: under the settings of the file. */
type Look = (on: Session, bare: Bare, how: Asked) => Promise<Before>

interface Asked {
  /** The statement as it is written, and where it is looked up from: the text of its file. */
  readonly text: string
  /** Where it ends in that text. */
  readonly end: number
  /** Of the ledger. */
  readonly schema: string
}

/** The closed list of ways: `docs/no-transaction.md` says the same, a kind a row. */
export const waysOfSeeing: Readonly<Record<BareKind, Look>> = {
  'CREATE INDEX CONCURRENTLY': beforeIndex,
  'DROP INDEX CONCURRENTLY': async (on, { kind, names }) => {
    const [name] = names
    const oid = await oidOf(on, `pg_catalog.to_regclass(${relation(name)})::pg_catalog.oid`)
    return { kind, way: 'gone', what: 'index', oid }
  },
  'REINDEX CONCURRENTLY': beforeReindex,
  REINDEX: again,
  'DETACH PARTITION CONCURRENTLY': beforeDetach,
  VACUUM: again,
  CLUSTER: again,
  'CREATE DATABASE': there('database'),
  'DROP DATABASE': gone('database'),
  'ALTER DATABASE SET TABLESPACE': again,
  'CREATE TABLESPACE': there('tablespace'),
  'DROP TABLESPACE': gone('tablespace'),
  'ALTER SYSTEM': again,
  'CREATE SUBSCRIPTION': there('subscription'),
  'DROP SUBSCRIPTION': gone('subscription'),
  'ALTER SUBSCRIPTION': async (on, { kind, names }) => {
    const name = nameOf(names)
    return { kind, way: 'publications', name, were: await publicationsOf(on, name) }
  },
  'COMMIT PREPARED': beforePrepared,
  'ROLLBACK PREPARED': beforePrepared,
  CALL: unknown,
  DO: unknown,
}

async function again(_on: Session, { kind }: Bare): Promise<Before> {
  return { kind, way: 'again' }
}

async function unknown(_on: Session, { kind }: Bare): Promise<Before> {
  return { kind, way: 'unknown' }
}

function gone(what: Catalog): Look {
  return async (on, { kind, names }) => {
    const { table, name } = catalogs[what]
    const row = `(select oid from pg_catalog.${table} where ${name} = ${literal(nameOf(names))}::pg_catalog.name)`
    return { kind, way: 'gone', what, oid: await oidOf(on, row) }
  }
}

function there(what: Catalog): Look {
  return async (on, { kind, names }) => {
    const name = nameOf(names)
    return { kind, way: 'there', what, name, wasThere: await isThere(on, what, name) }
  }
}

async function beforePrepared(on: Session, { kind, names }: Bare): Promise<Before> {
  const gid = nameOf(names)
  return { kind, way: 'prepared', gid, wasThere: await isPrepared(on, gid) }
}

/** @throws {Failure} INDEX_IN_THE_WAY: what has that name was not built by this file */
async function beforeIndex(on: Session, bare: Bare, asked: Asked): Promise<Before> {
  const { kind, names, isLenient } = bare
  const [table, [index = null] = []] = names
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
        where c.relnamespace = t.relnamespace and c.relname = ${index === null ? 'null' : literal(index)}::pg_catalog.name) as other
    from pg_catalog.pg_class t where t.oid = pg_catalog.to_regclass(${relation(table)})`)
  // PostgreSQL will say that the table is missing.
  if (row === undefined) return { kind, way: 'again' }
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
  if (other !== null && !isLenient) {
    throw new Failure('INDEX_IN_THE_WAY', `${other.name} was there before this statement`)
  }
  const definition = await definitionDigest(on, asked.schema, relationName(table), bare, asked)
  return { kind, way: 'index', table: row.table, index, indexes: row.indexes, definition }
}

/** The tables of which indexes are rebuilt, null for any: partitions and TOAST tables, too. */
async function beforeReindex(on: Session, { kind, names }: Bare): Promise<Before> {
  const [name] = names
  const tables =
    name === undefined
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
  return { kind, way: 'reindex', tables, invalid: invalid.map(({ oid }) => oid) }
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

async function beforeDetach(on: Session, { kind, names }: Bare): Promise<Before> {
  const [parent, partition] = names
  const [row] = await on.query<{ parent: number; partition: number }>(`
    select inhparent::pg_catalog.int8::pg_catalog.float8 as parent, inhrelid::pg_catalog.int8::pg_catalog.float8 as partition
    from pg_catalog.pg_inherits
    where inhparent = pg_catalog.to_regclass(${relation(parent)}) and inhrelid = pg_catalog.to_regclass(${relation(partition)})`)
  // PostgreSQL will say that it is no partition.
  return row === undefined ? { kind, way: 'again' } : { kind, way: 'detach', ...row }
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

export async function isPrepared(on: Session, gid: string): Promise<boolean> {
  const rows = await on.query(`
    select from pg_catalog.pg_prepared_xacts where gid = ${literal(gid)} and database = pg_catalog.current_database()`)
  return rows.length > 0
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

function nameOf([name]: Bare['names']): string {
  return name?.at(-1) ?? ''
}

function relation(name: Bare['names'][number] | undefined): string {
  return literal(relationName(name))
}

function relationName(name: Bare['names'][number] | undefined): string {
  return (name ?? []).map(identifier).join('.')
}
