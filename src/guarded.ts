import type { Config } from './config.ts'
import type { Effects, GuardedTable, Tell } from './events.ts'
import type { TablePattern } from './files/table-name.ts'
import { nearest } from './nearest.ts'
import { count } from './phrases.ts'
import { countRows, resolve, tableNames, type Census } from './postgres/census.ts'
import type { Session } from './postgres/session.ts'

type Wanted = Pick<Config, 'guardTables' | 'guardCountBudgetMs' | 'schema'>

/** What a run counts, before it and behind it. Both are reports: the guard decides by other means. */
export class Guarded {
  readonly #wanted: Wanted
  readonly #tell: Tell
  #before = new Map<number, GuardedTable>()
  #meant: Census['meant'] = []
  readonly #did = new Map<number, { inserted: number; deleted: number }>()

  constructor(wanted: Wanted, tell: Tell) {
    this.#wanted = wanted
    this.#tell = tell
  }

  /** Says what is guarded, and how many rows it has; returns what the files are to guard. */
  async before(on: Session): Promise<readonly TablePattern[]> {
    const { guardTables } = this.#wanted
    if (guardTables.length === 0) {
      this.#tell({ checkpoint: 'guard', tables: [], missing: [] })
      return []
    }
    const census = await this.#resolve(on)
    for (const { table, kind } of census.found) {
      const what = unguarded[kind]
      if (what === undefined) continue
      this.#tell({ checkpoint: 'warning', text: `${table} is not guarded: ${what}` })
    }
    this.#before = await this.#count(on, census)
    const tables = [...this.#before.values()]
    this.#tell({ checkpoint: 'guard', tables, missing: census.missing.map(spelled) })
    this.#meant = census.meant
    return [...guardTables, ...census.meant]
  }

  /** What a file has done, for the explanation; and a warning where nothing is guarded. */
  applied(file: string, { tables }: Effects): void {
    if (this.#wanted.guardTables.length === 0) {
      const lost = tables.flatMap(({ table, deleted, change }) =>
        change === 'dropped' || change === 'truncated'
          ? [`${change} ${table}`]
          : deleted === undefined
            ? []
            : [`deleted ${count(deleted, 'row')} of ${table}`],
      )
      const shown = lost.length > mostShown ? [...lost.slice(0, mostShown), '...'] : lost
      if (lost.length > 0)
        this.#tell({
          checkpoint: 'warning',
          text: `${file} ${shown.join(', ')}; no table is guarded`,
        })
    }
    for (const { root, inserted = 0, deleted = 0 } of tables) {
      if (root === undefined) continue
      const sum = this.#did.get(root) ?? { inserted: 0, deleted: 0 }
      this.#did.set(root, { inserted: sum.inserted + inserted, deleted: sum.deleted + deleted })
    }
  }

  /** The rows again, with what explains the difference; names that no file has given a table. */
  async after(on: Session): Promise<GuardedTable[]> {
    if (this.#wanted.guardTables.length === 0) return []
    const census = await this.#resolve(on)
    for (const text of [...(await missingNames(on, census)), ...this.#movedNames(census)])
      this.#tell({ checkpoint: 'warning', text })
    const counted = await this.#count(on, census)
    return [...counted].map(([oid, table]) => ({
      ...table,
      before: this.#before.get(oid)?.rows,
      inserted: this.#did.get(oid)?.inserted ?? 0,
      deleted: this.#did.get(oid)?.deleted ?? 0,
    }))
  }

  /** A file may have made another table that a name means, or moved that which it meant. */
  #movedNames({ meant }: Census): string[] {
    return this.#meant.flatMap(({ schema, name }) => {
      const other = meant.find((one) => one.name === name)
      return other === undefined || other.schema === schema
        ? []
        : [
            `${name} means ${spelled(other)} now, and meant ${schema}.${name} before: name the schema of what is to be guarded`,
          ]
    })
  }

  async #resolve(on: Session): Promise<Census> {
    return await resolve(on, this.#wanted.guardTables, this.#wanted.schema)
  }

  /** The small ones first, so that the time is enough for most. */
  async #count(on: Session, { found }: Census): Promise<Map<number, GuardedTable>> {
    const untilMs = performance.now() + this.#wanted.guardCountBudgetMs
    const able = found.filter(({ kind }) => unguarded[kind] === undefined)
    const bySize = able.toSorted((a, b) => (a.estimate ?? Infinity) - (b.estimate ?? Infinity))
    const exact = new Map<number, number | undefined>()
    for (const { oid, table } of bySize) {
      exact.set(oid, await countRows(on, table, untilMs - performance.now()))
    }
    return new Map(
      able.map(({ oid, table, estimate }) => {
        const rows = exact.get(oid)
        return [oid, { table, rows: rows ?? estimate, isEstimate: rows === undefined }]
      }),
    )
  }
}

const mostShown = 5

/** Why what has a guarded name is not guarded, by `pg_class.relkind`. */
const unguarded: Readonly<Record<string, string | undefined>> = {
  v: 'it is a view; name the tables that it reads',
  m: 'it is a materialized view, which can be refreshed',
  f: 'it is a foreign table, whose rows are elsewhere',
  S: 'it is a sequence',
  i: 'it is an index',
  I: 'it is an index',
  c: 'it is a type',
}

/** Names of LOCKSTEP_GUARD_TABLES that guard nothing, in words. */
export async function missingNames(on: Session, { missing }: Census): Promise<string[]> {
  // All tables are none as long as there is none.
  const unknown = missing.filter(({ schema, isAll }) => schema !== undefined || !isAll)
  if (unknown.length === 0) return []
  const names = await tableNames(on)
  return unknown.map((pattern) => {
    const near = pattern.isAll ? undefined : nearest(pattern.name, names)
    const meant = near === undefined ? '' : `; is ${near} meant?`
    return `LOCKSTEP_GUARD_TABLES names ${spelled(pattern)}, and there is no such table${meant}`
  })
}

function spelled({ schema, name }: Census['missing'][number]): string {
  return schema === undefined ? name : `${schema}.${name}`
}
