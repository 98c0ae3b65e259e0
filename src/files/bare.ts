import { Cursor, type QualifiedName } from './cursor.ts'
import type { Token } from './statements.ts'

/** A statement that PostgreSQL refuses inside of a transaction block (25001), by what it does. */
export type Bare = { readonly certainty: Certainty } & BareKind

/**
 * Whether PostgreSQL refuses it in any case, or only if the relation is partitioned or the
 * subscription has a slot. In the second case a transaction may be tried first: a refusal comes
 * before anything has been done.
 */
type Certainty = 'always' | 'depends'

type BareKind =
  | {
      readonly kind: 'create-index'
      /** Undefined where PostgreSQL makes up the name. Its schema is that of the table. */
      readonly index: string | undefined
      readonly table: QualifiedName
      readonly ifNotExists: boolean
    }
  | {
      readonly kind: 'drop-index'
      readonly indexes: readonly QualifiedName[]
      readonly ifExists: boolean
    }
  | {
      readonly kind: 'reindex'
      readonly what: 'index' | 'table' | 'schema' | 'database' | 'system'
      /** Undefined for the database of the session. */
      readonly name: QualifiedName | undefined
      readonly concurrently: boolean
    }
  | { readonly kind: 'vacuum' }
  /** No table: all that were clustered before. */
  | { readonly kind: 'cluster'; readonly table: QualifiedName | undefined }
  | {
      readonly kind: 'detach-partition'
      readonly table: QualifiedName
      readonly partition: QualifiedName
    }
  | { readonly kind: 'create-database'; readonly name: string }
  | { readonly kind: 'drop-database'; readonly name: string; readonly ifExists: boolean }
  | {
      readonly kind: 'move-database'
      readonly name: string
      readonly tablespace: string
    }
  | { readonly kind: 'create-tablespace'; readonly name: string }
  | { readonly kind: 'drop-tablespace'; readonly name: string; readonly ifExists: boolean }
  /** No parameter: RESET ALL. */
  | { readonly kind: 'alter-system'; readonly parameter: string | undefined }
  | { readonly kind: 'create-subscription'; readonly name: string }
  | { readonly kind: 'alter-subscription'; readonly name: string }
  | { readonly kind: 'drop-subscription'; readonly name: string; readonly ifExists: boolean }

/**
 * What PostgreSQL refuses inside of a transaction block, or undefined for all other statements. Each
 * has been tried on PostgreSQL 14 and 18. ALTER TYPE ... ADD VALUE is none of them: 14 and newer
 * allow it there and refuse only to use the value before COMMIT (55P04).
 */
export function bareKind(text: string, tokens: readonly Token[]): Bare | undefined {
  const at = new Cursor(text, tokens)
  if (at.takes('VACUUM')) return always({ kind: 'vacuum' })
  if (at.takes('REINDEX')) return reindex(at)
  if (at.takes('CLUSTER')) return cluster(at)
  if (at.takes('CREATE')) return create(at)
  if (at.takes('DROP')) return drop(at)
  if (at.takes('ALTER')) return alter(at)
  return undefined
}

function always(kind: BareKind): Bare {
  return { ...kind, certainty: 'always' }
}

function depends(kind: BareKind): Bare {
  return { ...kind, certainty: 'depends' }
}

function create(at: Cursor): Bare | undefined {
  if (at.takes('UNIQUE', 'INDEX', 'CONCURRENTLY') || at.takes('INDEX', 'CONCURRENTLY')) {
    const ifNotExists = at.takes('IF', 'NOT', 'EXISTS')
    const index = at.takes('ON') ? undefined : at.name()
    if (index !== undefined) at.takes('ON')
    at.takes('ONLY')
    at.takesMark('(')
    return always({ kind: 'create-index', index, table: at.qualifiedName(), ifNotExists })
  }
  if (at.takes('DATABASE')) return always({ kind: 'create-database', name: at.name() })
  if (at.takes('TABLESPACE')) return always({ kind: 'create-tablespace', name: at.name() })
  if (!at.takes('SUBSCRIPTION')) return undefined
  const name = at.name()
  const options = at.optionsBehind('WITH')
  const makesSlot =
    isTrue(options.get('connect') ?? 'true') && isTrue(options.get('create_slot') ?? 'true')
  return makesSlot ? always({ kind: 'create-subscription', name }) : undefined
}

function drop(at: Cursor): Bare | undefined {
  if (at.takes('INDEX', 'CONCURRENTLY')) {
    const ifExists = at.takes('IF', 'EXISTS')
    const indexes = [at.qualifiedName()]
    while (at.takesMark(',')) indexes.push(at.qualifiedName())
    return always({ kind: 'drop-index', indexes, ifExists })
  }
  for (const what of ['DATABASE', 'TABLESPACE', 'SUBSCRIPTION'] as const) {
    if (!at.takes(what)) continue
    const ifExists = at.takes('IF', 'EXISTS')
    const name = at.name()
    if (what === 'DATABASE') return always({ kind: 'drop-database', name, ifExists })
    if (what === 'TABLESPACE') return always({ kind: 'drop-tablespace', name, ifExists })
    return depends({ kind: 'drop-subscription', name, ifExists })
  }
  return undefined
}

function alter(at: Cursor): Bare | undefined {
  if (at.takes('SYSTEM')) {
    const isReset = at.takes('RESET')
    if (!isReset) at.takes('SET')
    const parameter = at.qualifiedName().join('.')
    const isAll = isReset && parameter === 'all'
    return always({ kind: 'alter-system', parameter: isAll ? undefined : parameter })
  }
  if (at.takes('TABLE')) {
    at.takes('IF', 'EXISTS')
    at.takes('ONLY')
    const table = at.qualifiedName()
    at.takesMark('*')
    if (!at.takes('DETACH', 'PARTITION')) return undefined
    const partition = at.qualifiedName()
    return at.takes('CONCURRENTLY')
      ? always({ kind: 'detach-partition', table, partition })
      : undefined
  }
  if (at.takes('DATABASE')) {
    const name = at.name()
    return at.takes('SET', 'TABLESPACE')
      ? always({ kind: 'move-database', name, tablespace: at.name() })
      : undefined
  }
  return at.takes('SUBSCRIPTION') ? alterSubscription(at) : undefined
}

function alterSubscription(at: Cursor): Bare | undefined {
  const name = at.name()
  const kind = { kind: 'alter-subscription', name } as const
  if (at.takes('REFRESH')) return always(kind)
  for (const verb of ['SET', 'ADD', 'DROP'] as const) {
    if (!at.takes(verb, 'PUBLICATION')) continue
    return isTrue(at.optionsBehind('WITH').get('refresh') ?? 'true') ? always(kind) : undefined
  }
  if (!at.takes('SET')) return undefined
  const options = at.options()
  return options.has('failover') || options.has('two_phase') ? depends(kind) : undefined
}

function reindex(at: Cursor): Bare | undefined {
  const options = at.options()
  const what = (['INDEX', 'TABLE', 'SCHEMA', 'DATABASE', 'SYSTEM'] as const).find((word) =>
    at.takes(word),
  )
  if (what === undefined) return undefined
  const asked = options.get('concurrently')
  const concurrently = at.takes('CONCURRENTLY') || (asked !== undefined && isTrue(asked))
  const name = at.isAtEnd ? undefined : at.qualifiedName()
  const kind = { kind: 'reindex', what: lower(what), name, concurrently } as const
  const isOneRelation = what === 'INDEX' || what === 'TABLE'
  return concurrently || !isOneRelation ? always(kind) : depends(kind)
}

function lower<const Word extends string>(word: Word): Lowercase<Word> {
  // oxlint-disable-next-line no-unsafe-type-assertion -- what toLowerCase does, in types
  return word.toLowerCase() as Lowercase<Word>
}

function cluster(at: Cursor): Bare {
  at.options()
  at.takes('VERBOSE')
  if (at.isAtEnd) return always({ kind: 'cluster', table: undefined })
  // CLUSTER index ON table is the old spelling of CLUSTER table USING index.
  const first = at.qualifiedName()
  const table = at.takes('ON') ? at.qualifiedName() : first
  return depends({ kind: 'cluster', table })
}

/** As PostgreSQL reads the value of an option; an option without a value is on. */
function isTrue(value: string): boolean {
  return !/^(?:false|off|0)$/i.test(value)
}
