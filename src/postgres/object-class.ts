/** A class of objects of a database, as SQL that runs with `search_path = pg_catalog, pg_temp`. */
export interface ObjectClass {
  /** The name of an object, unique within its class. */
  readonly name: string
  /** The name of the object without which it is not told of: of a column its table. */
  readonly of?: string
  readonly from: string
  /** Attributes whose values may be shown: names, types, numbers, flags. */
  readonly told: Readonly<Record<string, string>>
  /** Those that hold what somebody wrote, of which only that they differ is told. */
  readonly texts: Readonly<Record<string, string>>
}

/** Schemas whose objects count: `space (oid, nspname)`, to begin a query with. */
export function spaces(ledger: string): string {
  return `space as (select oid, nspname from pg_namespace
    where nspname !~ '^pg_' and nspname not in ('information_schema', ${ledger}))`
}

/** What belongs to an extension is told by the extension. */
export function isOwn(catalog: string, oid: string): string {
  return `not exists (select from pg_depend x where x.classid = '${catalog}'::regclass and x.objid = ${oid}
    and x.objsubid = 0 and x.deptype = 'e')`
}

/** Objects that are in no schema: those behind the ones that initdb makes. */
export function isMade(catalog: string, oid: string): string {
  return `${oid} >= 16384 and ${isOwn(catalog, oid)}`
}

/** A list of rights in an order of its own; none at all says the same as those that come by default. */
export function rights(acl: string, kind: string, owner: string): string {
  return `(select string_agg(item::text, ' ' order by item::text collate "C")
    from unnest(coalesce(${acl}, acldefault('${kind}', ${owner}))) item)`
}

export function ownerName(oid: string): string {
  return `quote_ident(pg_get_userbyid(${oid}))`
}

export function comment(catalog: string, oid: string): string {
  return `obj_description(${oid}, '${catalog}')`
}

/** A name of a class that PostgreSQL has no `reg...` type for. */
export function named(schema: string, name: string): string {
  return `format('%I.%I', (select nspname from pg_namespace where oid = ${schema}), ${name})`
}

/** `a, b, c`, which is compared as an order. */
export function columnsInOrder(relation: string): string {
  return `(select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
    where attrelid = ${relation} and attnum > 0 and not attisdropped)`
}

/** A function, or none. */
export function routine(oid: string): string {
  return `nullif(${oid}::oid, 0)::regprocedure`
}
