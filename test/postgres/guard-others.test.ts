import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { count, eventsOf, prepared, runGuarded } from '../support/guarded-run.ts'
import { guardTables } from '../support/mutants.ts'
import { proxyTo } from '../support/proxy.ts'
import { until } from '../support/until.ts'

/** Does something while the file sleeps. */
async function meanwhile(db: Database, action: string): Promise<void> {
  await until(async () => {
    const [row] = await db.superuser<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
    )
    return row?.n === 1
  })
  await db.sql(action)
}

/** What is sent for so many files that write to guarded tables. */
async function messages(files: number, guard: string): Promise<number> {
  await using db = await prepared()
  let sent = 0
  await using proxy = await proxyTo(db.url, ({ from, kind }) => {
    if (from === 'client' && kind === 'Q') sent += 1
    return 'pass'
  })
  const texts = Array.from({ length: files }, (_, index) => [
    `${index + 1}_a.sql`,
    `update leads set score = 'x'; insert into notes values (${100 + index}, 1);`,
  ])
  const ran = await runGuarded(proxy.url, Object.fromEntries(texts), guard)
  assert.equal(ran.said, '')
  return sent
}

test('what the application deletes meanwhile is not the loss of the file', async () => {
  await using db = await prepared()
  const [ran] = await Promise.all([
    runGuarded(
      db.url,
      { '1_a.sql': `select pg_sleep(0.5); update leads set score = 'x';` },
      guardTables,
    ),
    meanwhile(db, 'delete from leads where id in (7, 8, 9)'),
  ])
  assert.equal(ran.said, '')
  const [verified] = eventsOf(ran, 'verified')
  const leads = verified?.guarded.find(({ table }) => table === 'public.leads')
  assert.deepEqual(leads, {
    table: 'public.leads',
    rows: 7,
    isEstimate: false,
    before: 10,
    inserted: 0,
    deleted: 0,
  })
})

test('tables that the application drops meanwhile are not those of a schema that the file renames', async () => {
  await using db = await prepared()
  await db.sql('create schema crm')
  const [ran] = await Promise.all([
    runGuarded(
      db.url,
      { '1_a.sql': 'alter schema crm rename to attic; select pg_sleep(0.5);' },
      '*',
    ),
    meanwhile(db, 'drop table clicks; truncate people; alter table other set unlogged'),
  ])
  assert.equal(ran.said, '')
  assert.deepEqual(eventsOf(ran, 'applied')[0]?.effects.tables, [])
})

test('what a name means when the run begins is guarded all through it', async () => {
  await using db = await prepared()
  const shadow = {
    '1_a.sql': 'create schema lockstep_test; create table lockstep_test.clicks (lead int);',
  }
  const run = { ...shadow, '2_b.sql': 'delete from public.clicks;' }
  const lost = await runGuarded(db.url, run, 'clicks')
  assert.match(lost.said, /^2_b\.sql would lose up to 10 rows of clicks\n/)
  // The name means another table by now.
  const other = await runGuarded(db.url, { ...shadow, '3_c.sql': 'delete from clicks;' }, 'clicks')
  assert.equal(other.said, '')
})

test('a name that means another table behind a file is a warning', async () => {
  await using db = await prepared()
  const file = 'create schema lockstep_test; create table lockstep_test.clicks (lead int);'
  const ran = await runGuarded(db.url, { '1_a.sql': file }, 'clicks,notes')
  assert.deepEqual(
    eventsOf(ran, 'warning').map(({ text }) => text),
    [
      'clicks means lockstep_test.clicks now, and meant public.clicks before: name the schema of what is to be guarded',
    ],
  )
})

test('a name beside the same name in another schema means what it did', async () => {
  await using db = await prepared()
  await db.sql('create schema crm; create table crm.clicks (lead int)')
  const ran = await runGuarded(db.url, { '1_a.sql': 'select 1;' }, 'crm.clicks,clicks')
  assert.deepEqual(eventsOf(ran, 'warning'), [])
})

test('what the application inserts meanwhile hides no loss', async () => {
  await using db = await prepared()
  const [ran] = await Promise.all([
    runGuarded(
      db.url,
      { '1_a.sql': 'select pg_sleep(0.5); delete from leads where id > 5;' },
      'leads',
    ),
    meanwhile(db, `insert into leads (email) select 'new' from generate_series(1, 5)`),
  ])
  assert.equal(ran.failure?.code, 'GUARD_VIOLATED')
  // The second try, in exact mode, meets those that have been inserted, too.
  assert.match(ran.said, /would lose 10 rows of leads/)
  assert.equal(await count(db, 'leads'), 15)
})

test('a writer in the way of exact mode is waited for like any lock', async () => {
  await using db = await prepared()
  const file = `select pg_sleep(0.5); update visits set day = '2020-05-01' where id = 1;`
  const [ran] = await Promise.all([
    runGuarded(db.url, { '1_a.sql': file }, 'visits', { LOCKSTEP_LOCK_TIMEOUT: '200ms' }),
    meanwhile(
      db,
      `begin; insert into visits values (99, '2019-05-01'); select pg_sleep(2); commit`,
    ),
  ])
  assert.equal(ran.said, '')
  assert.ok(eventsOf(ran, 'retry').length > 0)
  assert.equal(await count(db, 'visits'), 21)
})

test('a file that exact mode clears is applied once, and those behind it, too', async () => {
  await using db = await prepared()
  const ran = await runGuarded(
    db.url,
    {
      '1_a.sql': 'insert into other values (11, 1);',
      '2_b.sql': `update visits set day = '2020-05-01' where id < 4; insert into other values (12, 1);`,
      '3_c.sql': 'insert into other values (13, 1);',
      '4_d.sql': `update visits set day = '2019-05-01' where id < 3; insert into other values (14, 1);`,
      '5_e.sql': 'insert into other values (15, 1);',
    },
    guardTables,
  )
  assert.equal(ran.said, '')
  assert.deepEqual(
    eventsOf(ran, 'applied').map(({ file }) => file),
    ['1_a.sql', '2_b.sql', '3_c.sql', '4_d.sql', '5_e.sql'],
  )
  const notes = eventsOf(ran, 'note').filter(({ text }) =>
    text.includes('run once more, to tell exactly'),
  )
  assert.deepEqual(
    notes.map(({ text }) => text.slice(0, 7)),
    ['2_b.sql', '4_d.sql'],
  )
  assert.equal(await count(db, 'other'), 10)
  const left = await db.sql(`select relname from pg_class where relname like 'kept_%'`)
  assert.deepEqual(left, [])
})

test('a file takes no message more where tables are guarded', async () => {
  for (const guard of [guardTables, ''])
    assert.equal((await messages(12, guard)) - (await messages(2, guard)), 10)
})

test('a refused file leaves those before it, and nothing of those behind it', async () => {
  await using db = await prepared()
  const ran = await runGuarded(
    db.url,
    {
      '1_a.sql': 'insert into other values (11, 1);',
      '2_b.sql': 'delete from notes;',
      '3_c.sql': 'insert into other values (13, 1);',
    },
    guardTables,
  )
  assert.equal(ran.failure?.code, 'GUARD_VIOLATED')
  assert.equal(ran.failure.exit, 1)
  assert.equal(
    ran.said,
    `2_b.sql would lose 5 rows of notes
applied in this run and kept: 1_a.sql
rolled back, nothing is lost
if it is meant, write above its first statement:
-- lockstep: allow delete <= 5 on notes`,
  )
  assert.equal(await count(db, 'other'), 6)
  assert.equal(await count(db, 'notes'), 5)
})

test('what exact mode cannot change is decided by the first try, and all else by the second', async () => {
  const tries: Readonly<Record<string, number>> = {
    'alter table notes rename to aside;': 1,
    'delete from clicks;': 1,
    'delete from lockstep.ledger;': 1,
    'delete from notes;': 2,
    [`update visits set day = '2020-05-01' where id < 4; delete from visits where id = 9;`]: 2,
  }
  for (const [sql, expected] of Object.entries(tries)) {
    await using db = await prepared()
    await db.sql('create sequence tries')
    const files = { '1_a.sql': 'select 1;', '2_b.sql': `select nextval('tries'); ${sql}` }
    const ran = await runGuarded(db.url, files, guardTables)
    assert.equal(ran.failure?.code, 'GUARD_VIOLATED', sql)
    const [row] = await db.sql<{ tries: number }>('select last_value::int as tries from tries')
    assert.equal(row?.tries, expected, sql)
  }
})

test('what several tries are suspected of is decided together', async () => {
  await using db = await prepared()
  await db.sql('create sequence tries')
  const file = `do $$ begin
      update visits set day = '2020-05-01' where id < 4;
      if nextval('tries') > 1 then
        with moved as (delete from only people where id < 3 returning *) insert into staff select * from moved;
      end if;
    end $$;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(ran.said, '')
  const [row] = await db.sql<{ tries: number }>('select last_value::int as tries from tries')
  assert.equal(row?.tries, 3)
})

test('a temporary table of the guarded name hides nothing from the next file', async () => {
  await using db = await prepared()
  const files = {
    '1_a.sql': 'create temp table clicks (lead int);',
    '2_b.sql': 'delete from clicks;',
  }
  const ran = await runGuarded(db.url, files, 'clicks')
  assert.match(ran.said, /^2_b\.sql would lose up to 10 rows of clicks\n/)
})

test('no file may change a function of the ledger, each one that there is', async () => {
  await using db = await prepared()
  assert.equal((await runGuarded(db.url, { '1_a.sql': 'select 1;' }, 'leads')).said, '')
  const functions = await db.sql<{ name: string }>(
    `select oid::regprocedure::text as name from pg_proc where pronamespace = 'lockstep'::regnamespace order by 1`,
  )
  assert.ok(functions.length > 10)
  for (const { name } of functions) {
    const files = { '1_a.sql': 'select 1;', '2_b.sql': `alter function ${name} cost 99;` }
    const ran = await runGuarded(db.url, files, 'leads')
    assert.ok(ran.failure, name)
  }
})

test('a file that loses something else in each try is refused in the end', async () => {
  await using db = await prepared()
  // A sequence is not rolled back: each try deletes from another table.
  await db.sql(
    `create sequence tries; ${[1, 2, 3, 4, 5].map((i) => `create table t${i} (id int primary key); insert into t${i} values (1);`).join('')}`,
  )
  const file = `do $$ begin execute 'delete from t' || nextval('tries'); end $$;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, '*')
  assert.equal(ran.failure?.code, 'GUARD_VIOLATED')
  for (const i of [1, 2, 3, 4, 5]) assert.equal(await count(db, `t${i}`), 1)
})

test('a suspicion that the second try does not raise leaves nothing behind', async () => {
  await using db = await prepared()
  await db.sql('create sequence tries')
  const file = `do $$ begin if nextval('tries') = 1 then delete from notes; end if; end $$;`
  const ran = await runGuarded(db.url, { '1_a.sql': file }, guardTables)
  assert.equal(ran.said, '')
  assert.equal(await count(db, 'notes'), 5)
  assert.deepEqual(await db.sql(`select relname from pg_class where relname like 'kept_%'`), [])
})

test('deletes that a file is allowed are not among the figures of the next', async () => {
  await using db = await prepared()
  const ran = await runGuarded(
    db.url,
    {
      '1_a.sql': '-- lockstep: allow delete on clicks\ndelete from clicks where lead = 1;',
      '2_b.sql': `update clicks set page = 'x';`,
      '3_c.sql': `insert into clicks values (1, '/');`,
    },
    'clicks',
  )
  assert.equal(ran.said, '')
  assert.deepEqual(
    eventsOf(ran, 'applied').map(({ effects: { tables } }) =>
      tables.map(({ table, deleted, updated, inserted }) =>
        Object.fromEntries(
          Object.entries({ table, deleted, updated, inserted }).filter(([, value]) => value),
        ),
      ),
    ),
    [
      [{ table: 'public.clicks', deleted: 1 }],
      [{ table: 'public.clicks', updated: 9 }],
      [{ table: 'public.clicks', inserted: 1 }],
    ],
  )
})

test('nor where the next is looked at for another reason', async () => {
  await using db = await prepared()
  const ran = await runGuarded(
    db.url,
    {
      '1_a.sql': '-- lockstep: allow delete on clicks\ndelete from clicks where lead = 1;',
      '2_b.sql': `-- lockstep: allow rename on people\nalter table people rename to persons; update clicks set page = 'x';`,
    },
    'clicks,people',
  )
  assert.equal(ran.said, '')
})

test('the worked example raises no alarm, with every table guarded that the application lives on', async () => {
  await using db = await freshDatabase()
  const files = Object.fromEntries(
    readdirSync('sql')
      .filter((name) => name !== 'baseline.sql')
      .map((name) => [name, readFileSync(`sql/${name}`, 'utf8')]),
  )
  const ran = await runGuarded(db.url, files, '*')
  assert.equal(ran.said, '')
  const allowed = eventsOf(ran, 'applied').flatMap(({ file, allowed: losses }) =>
    losses.map(({ what }) => `${file} ${what}`),
  )
  assert.deepEqual(allowed, ['0016_drop_lead_assigned_to.sql drop-column'])
})

test('a schema of the ledger with an odd name guards as well', async () => {
  await using db = await prepared()
  const odd = { LOCKSTEP_SCHEMA: `led'ger "%s\\ 1` }
  const ran = await runGuarded(
    db.url,
    { '1_a.sql': 'delete from notes where id = 1;' },
    guardTables,
    odd,
  )
  assert.match(ran.said, /would lose 1 row of notes/)
  const moved = await runGuarded(
    db.url,
    { '1_a.sql': `update visits set day = '2020-05-01' where id = 1;` },
    guardTables,
    odd,
  )
  assert.equal(moved.said, '')
})
