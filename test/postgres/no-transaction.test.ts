import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'

const header = '-- lockstep: no-transaction\n'

test('a mixed file: transactional statements beside CONCURRENTLY', async () => {
  await using db = await freshDatabase()
  const files = {
    '0001_a.sql': 'create table leads (id int, email text); insert into leads values (1, $$a$$);',
    '0002_b.sql': `${header}
      insert into leads values (2, 'b');
      create unique index concurrently leads_email on leads (lower(email)) where id > 0;
      set search_path = pg_catalog;
      create index concurrently on public.leads (id);
      insert into public.leads values (3, 'c');
      vacuum analyze public.leads;`,
    '0003_c.sql': 'create table faqs (id int);',
  }
  const ran = await migrateFiles(db, files, { LOCKSTEP_LOG_LEVEL: 'debug' })
  assertSucceeded(ran, '3 files applied', 'statement 2 of 6, CREATE INDEX CONCURRENTLY, in')
  console.log(ran.output)
  const indexes = await db.sql(
    `select indexrelid::regclass::text as name, indisvalid as valid from pg_index where indrelid = 'leads'::regclass order by 1`,
  )
  assert.deepEqual(indexes, [
    { name: 'leads_email', valid: true },
    { name: 'leads_id_idx', valid: true },
  ])
  assert.deepEqual(await db.sql('select id from leads order by 1'), [
    { id: 1 },
    { id: 2 },
    { id: 3 },
  ])
  assert.deepEqual(await db.sql('select * from lockstep.step'), [])
  assert.deepEqual(await db.sql(`select name, how from lockstep.ledger where id = 2`), [
    { name: '0002_b.sql', how: 'statements' },
  ])
})

test('an index over duplicates', async () => {
  await using db = await freshDatabase()
  const files = {
    '0001_a.sql': 'create table leads (id int); insert into leads values (1), (1);',
    '0002_b.sql': `${header}insert into leads values (2);\n  create unique index concurrently leads_id on leads (id);`,
  }
  const ran = await migrateFiles(db, files)
  console.log(ran.output)
  assertFailed(ran, 1, 'SQL_FAILED', '0002_b.sql:3:3')
  await db.sql('delete from leads where ctid = $$(0,1)$$')
  const again = await migrateFiles(db, files)
  console.log(again.output)
  assertSucceeded(again)
  assert.deepEqual(await db.sql('select id from leads order by 1'), [{ id: 1 }, { id: 2 }])
})
