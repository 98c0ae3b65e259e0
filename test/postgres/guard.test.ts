import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { pageOf } from '../support/guard-page.ts'
import { eventsOf, runGuarded } from '../support/guarded-run.ts'
import { basis, guardTables, mutants, type Mutant } from '../support/mutants.ts'

/** Set where a few rows are enough. */
const only = new RegExp(process.env['TEST_MUTANTS'] ?? '')
const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)

/** The tables with their columns, and all that is in them. */
async function contentOf(db: Database): Promise<string> {
  const tables = await db.superuser<{ kind: string; name: string; about: string }>(`
    select c.relkind::text as kind, c.oid::regclass::text as name,
      concat_ws(' ', c.oid, c.relnamespace::regnamespace, c.relname, c.relpersistence,
        (select string_agg(inhparent::text, ' ' order by 1) from pg_inherits where inhrelid = c.oid),
        (select string_agg(concat_ws(' ', attname, atttypid), ' ' order by attnum) from pg_attribute
          where attrelid = c.oid and attnum > 0)) as about
    from pg_class c
    where relkind in ('r', 'p', 'v', 'f') and oid >= 16384 and relpersistence <> 't' and relnamespace is distinct from to_regnamespace('lockstep')
    order by oid`)
  const contents = tables
    .filter(({ kind }) => kind === 'r')
    .map(
      ({ name }) =>
        `select '${name}' as name, md5(string_agg(t::text, ' ' order by t::text)) as content from only ${name} t`,
    )
  const objects = await db.superuser('select oid from pg_largeobject_metadata order by oid')
  return JSON.stringify([tables, objects, await db.superuser(contents.join(' union all '))])
}

/** Every row of the basis by its table and what it is known by. */
async function rowsOf(db: Database): Promise<string[]> {
  const rows = await db.superuser<{ row: string }>(`
    select 'leads ' || id as row from leads union all select 'notes ' || id from notes
    union all select 'visits ' || id from visits union all select 'people ' || id from people
    union all select 'clicks ' || lead from clicks order by 1`)
  return rows.map(({ row }) => row)
}

async function verify(mutant: Mutant, role: 'owner' | 'superuser'): Promise<void> {
  const { guard = guardTables, sql, says = '-' } = mutant
  await using db = await freshDatabase()
  await db.sql(basis)
  if (mutant.prepared !== undefined) await db.superuser(mutant.prepared)
  if (mutant.before !== undefined) await db.sql(mutant.before)
  const url = role === 'owner' ? db.url : db.superuserUrl
  const earlier = mutant.earlier === undefined ? {} : { '1_earlier.sql': mutant.earlier }
  if (mutant.earlier !== undefined) {
    const { said } = await runGuarded(url, earlier, guard)
    assert.equal(said, '')
  }
  const before = await contentOf(db)
  const rowsBefore = await rowsOf(db)
  const ran = await runGuarded(url, { ...earlier, '2_file.sql': sql }, guard)
  const becomes = (role === 'superuser' ? mutant.asSuperuser : undefined) ?? mutant.becomes
  if (becomes === 'caught' || becomes === 'stopped') {
    assert.ok(ran.failure, 'it was applied')
    assert.equal(await contentOf(db), before, ran.said)
    assert.equal(ran.failure.code === 'GUARD_VIOLATED', becomes === 'caught', ran.said)
    if (becomes === 'caught') assert.ok(ran.said.includes(says), `“${says}” is not in\n${ran.said}`)
    return
  }
  assert.equal(ran.said, '')
  const applied = eventsOf(ran, 'applied').find(({ file }) => file === '2_file.sql')
  assert.ok(applied)
  assert.equal(applied.allowed.length > 0, becomes === 'allowed')
  if (becomes === 'missed') assert.notEqual(await contentOf(db), before, 'nothing is lost')
  if (becomes !== 'harmless') return
  const rows = new Set(await rowsOf(db))
  assert.deepEqual(
    rowsBefore.filter((row) => !rows.has(row)),
    [],
  )
}

/** In `make test` the owner alone, who sees less; `make test-matrix` has both. */
const roles =
  process.env['LOCKSTEP_TEST_QUICK'] === undefined
    ? (['owner', 'superuser'] as const)
    : (['owner'] as const)

for (const { title, of } of mutants) {
  for (const role of roles) {
    test(`${title}, as ${role}`, { concurrency: 3 }, async (t) => {
      const able = of.filter(
        ({ does, minMajor = 0, maxMajor = 99 }) =>
          minMajor <= major && major <= maxMajor && only.test(does),
      )
      await Promise.all(able.map((mutant) => t.test(mutant.does, () => verify(mutant, role))))
    })
  }
}

test('docs/guard.md has the table as it is tested', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'guard.md'), 'utf8')
  assert.equal(page, pageOf(page))
})
