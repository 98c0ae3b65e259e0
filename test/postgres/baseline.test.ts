import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram } from '../support/program.ts'

// As pg_dump 18 --schema-only writes it, but for psql's \restrict.
const dump = `--
-- PostgreSQL database dump
--

-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: pgcrypto; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;


--
-- Name: EXTENSION pgcrypto; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';


SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.people (
    id integer NOT NULL,
    name text
);


ALTER TABLE ONLY public.people
    ADD CONSTRAINT people_pkey PRIMARY KEY (id);
`

const history = {
  '0001_people.sql': 'create table people (id int primary key);',
  '0002_name.sql': 'alter table people add column name text;',
}
const later = { '0003_fill.sql': `insert into people values (1, 'a');` }

test('the output of pg_dump is a baseline as it is, below the lines that say what it stands for', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ ...history, ...later })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const args = ['check', '--baseline', '--print']
  folder.write({ 'baseline.sql': '-- lockstep: baseline 0002\n' })
  const { stdout: header } = await runProgram({
    env: { LOCKSTEP_DIR: folder.path },
    args,
    form: 'bundle',
  })
  assert.match(
    header,
    /^-- lockstep: baseline 0002\n-- lockstep: covers 0001_people\.sql [0-9a-f]{64}\n-- lockstep: covers 0002_name\.sql [0-9a-f]{64}\n$/,
  )
  folder.write({ 'baseline.sql': header + dump })
  // The history goes; asked again, the same lines are printed.
  folder.remove('0001_people.sql', '0002_name.sql')
  assert.equal((await runProgram({ env, args, form: 'bundle' })).stdout, header)

  assertSucceeded(
    await runProgram({ env, form: 'bundle' }),
    '3 files (2 by the baseline, 1 applied)',
  )
  assertSucceeded(await runProgram({ env, form: 'bundle' }), 'nothing to do')
  assert.deepEqual(await db.sql('select * from people'), [{ id: 1, name: 'a' }])
  // A later file has the search_path of the connection, whatever the dump set.
  assertSucceeded(await migrateFiles(db, { ...history, ...later }), 'nothing to do')
})

test('a dump that holds the ledger is refused with the option that leaves it out, whatever it is called', async () => {
  await using db = await freshDatabase()
  for (const [schema, made] of [
    ['lockstep', 'CREATE SCHEMA lockstep;'],
    ['Crm', 'CREATE TABLE "Crm".ledger (id bigint);'],
  ] as const) {
    const files = { ...history, 'baseline.sql': `-- lockstep: baseline 2\n${dump}${made}\n` }
    assertFailed(
      await migrateFiles(db, files, { LOCKSTEP_SCHEMA: schema }),
      1,
      'BASELINE_INVALID',
      `pg_dump --schema-only --exclude-schema=${schema}`,
    )
    assertSucceeded(
      await runProgram({ env: { DATABASE_URL: db.url, LOCKSTEP_DIR: 'sql' }, args: ['plan'] }),
    )
  }
  assert.deepEqual(await db.sql(`select to_regclass('people') as made`), [{ made: null }])
})
