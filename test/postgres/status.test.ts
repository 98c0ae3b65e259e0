import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { failures } from '../../src/errors.ts'
import { lockKey } from '../../src/postgres/lock.ts'
import { statusText } from '../../src/report/status-text.ts'
import type { StatusDocument } from '../../src/status-document.ts'
import { status } from '../../src/status.ts'
import { freshDatabase, urlOf, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { canary, superuserPassword } from '../support/secrets.ts'

const key = lockKey('lockstep')
const rowValue = 'value-of-a-row'
const statement = 'statement_of_a_file'
const people = `create table people (id int, name text); insert into people values (1, '${rowValue}'), (1, 'b');`
const secrets = [
  canary,
  encodeURIComponent(canary),
  superuserPassword,
  rowValue,
  statement,
  'pg_sleep',
]

interface Seen {
  readonly text: string
  readonly document: StatusDocument
}

/** What `status` says to people and to programs; no secret in either, and the same in both. */
async function seen(wanted: Readonly<Record<string, string>>): Promise<Seen> {
  // A heartbeat that is short for the run beside it may be shorter than it takes to connect.
  const env = { ...wanted, LOCKSTEP_HEARTBEAT: '10s' }
  const [text, json] = await Promise.all([
    runProgram({ env, args: ['status'], form: 'bundle' }),
    runProgram({ env, args: ['status', '--json'], form: 'bundle' }),
  ])
  assert.equal(text.exit, 0, text.output)
  assert.equal(text.stderr, '')
  assert.equal(json.exit, 0, json.output)
  assertNoSecret(text.output + json.output)
  const document: StatusDocument = JSON.parse(json.stdout)
  assert.equal(withoutTimes(statusText(document, false)), withoutTimes(text.stdout))
  return { text: text.stdout, document }
}

function assertNoSecret(output: string): void {
  for (const secret of secrets) assert.ok(!output.includes(secret), `“${secret}” is in\n${output}`)
}

/** Two looks differ in how long something has been so. */
function withoutTimes(text: string): string {
  return text.replaceAll(/\b[\d.]+ s\b/g, 'N s')
}

function envOf(db: Pick<Database, 'url'>, folder: { readonly path: string }) {
  return { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, POD_NAME: 'crm-migrate-x7k2p' }
}

async function migrated(env: Readonly<Record<string, string>>, exit = 0): Promise<string> {
  const ran = await runProgram({ env, form: 'bundle' })
  assert.equal(ran.exit, exit, ran.output)
  return /run ([0-9a-f]{8})/.exec(ran.output)?.[1] ?? ''
}

/** The lines from the one that begins with this word on. */
function sectionOf(word: string, text: string): string[] {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => line.startsWith(word.padEnd(11)))
  assert.notEqual(first, -1, `no section “${word}” in\n${text}`)
  const behind = lines.slice(first + 1)
  const end = behind.findIndex((line) => !line.startsWith(' '.repeat(11)))
  return lines.slice(first, first + 1 + end).map((line) => line.slice(11))
}

function assertOnly(text: string, ...words: readonly string[]): void {
  const found = /\n\n((?:(?!\n\n).)*)$/s.exec(text)?.[1] ?? ''
  const begun = found.split('\n').filter((line) => /^\S/.test(line))
  assert.deepEqual(
    begun.map((line) => line.slice(0, 11).trimEnd()),
    words,
    text,
  )
}

test('a database without a ledger and one that is up to date have nothing wrong to tell', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  const before = await seen(env)
  assert.match(before.text, /\n\n1 pending\n$/)
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as made`), [{ made: null }])

  const run = await migrated(env)
  const after = await seen(env)
  assertOnly(after.text, 'last run')
  assert.match(
    sectionOf('last run', after.text).join('\n'),
    new RegExp(
      `^run ${run} in crm-migrate-x7k2p succeeded, [-\\d]+ [:\\d]+ UTC, [\\d.]+ s ago: it applied 1 file, the last of them 0001_people.sql$`,
    ),
  )
  assert.equal(after.document.lastRun?.state, 'succeeded')
  assert.equal(after.document.lastFailedRun, undefined)
  assert.equal(after.document.lock, undefined)
})

test('whoever holds the lock is told: who, since when, which file, and who is in its way', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    '0001_people.sql': people,
    '0002_slow.sql': `select pg_sleep(3); alter table people add column ${statement} int;`,
  })
  await db.sql('create table other (id int)')
  const env = {
    ...envOf(db, folder),
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_HEARTBEAT: '200ms',
    LOCKSTEP_LOCK_TIMEOUT: '20s',
  }
  const running = startProgram({ env, form: 'bundle' })
  await running.says('running    0002_slow.sql')
  const slow = await seen(env)
  assertOnly(slow.text, 'last run', 'lock')
  const { lock, lastRun } = slow.document
  assert.match(
    sectionOf('lock', slow.text).join('\n'),
    new RegExp(
      `^held by crm-migrate-x7k2p \\(run ${lastRun?.run}, pid ${lock?.pid}\\) as lockstep_test, connected for [\\d.]+ s
applies 0002_slow.sql for [\\d.]+ s: waits for Timeout PgSleep$`,
    ),
  )
  assert.equal(lock?.file, '0002_slow.sql')
  assert.equal(lock?.mayBeOrphaned, false)
  assert.equal(lastRun?.state, 'running')
  assert.match(slow.text, /and is running: it has applied 1 file, the last of them 0001_people/)

  await db.superuser(`set application_name = 'backend'`)
  await db.superuser(`begin; select name as ${statement} from people`)
  await running.says('blocked    0002_slow.sql')
  const blocked = await seen(env)
  assertOnly(blocked.text, 'hidden', 'last run', 'lock')
  assert.equal(blocked.document.hidden[0]?.grant, 'grant pg_read_all_stats to "lockstep_test";')
  const blocker = blocked.document.lock?.blockers[0]
  assert.match(
    sectionOf('lock', blocked.text).join('\n'),
    new RegExp(
      `\\napplies 0002_slow.sql for [\\d.]+ s, and waits for ACCESS EXCLUSIVE on public.people
pid ${blocker?.pid} \\(application backend, user postgres\\) holds ACCESS SHARE; what it does is hidden from this role: grant pg_read_all_stats to it
if that session may be ended:
select pg_terminate_backend\\(${blocker?.pid}\\);$`,
    ),
  )
  await db.superuser('rollback')
  assert.equal((await running.ran).exit, 0)
})

test('a failed run is told with file, code, what the code means and what to do, until one succeeds', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    '0001_people.sql': people,
    '0002_bad.sql': `select 1 as ${statement};\nselekt '${rowValue}';`,
  })
  const env = envOf(db, folder)
  const failed = await migrated(env, 1)
  const { text, document } = await seen(env)
  assertOnly(text, 'last run')
  assert.match(
    sectionOf('last run', text).join('\n'),
    new RegExp(
      `^run ${failed} in crm-migrate-x7k2p failed, .* ago: SQL_FAILED in 0002_bad.sql, exit 1
SQL_FAILED means: ${failures.SQL_FAILED.means}
applied in this run and kept: 1 file, the last of them 0001_people.sql
its log says more:
kubectl logs crm-migrate-x7k2p
a retry will not help: ${failures.SQL_FAILED.todo}$`,
    ),
  )
  assert.deepEqual(document.lastFailedRun, document.lastRun)
  const { code, exit, file, means } = document.lastFailedRun ?? {}
  assert.deepEqual([code, exit, file], ['SQL_FAILED', 1, '0002_bad.sql'])
  assert.equal(means, failures.SQL_FAILED.means)

  folder.write({ '0002_bad.sql': 'select 1;' })
  const mended = await migrated(env)
  const after = await seen(env)
  assertOnly(after.text, 'failed', 'last run')
  assert.match(
    sectionOf('failed', after.text).join('\n'),
    /SQL_FAILED in 0002_bad.*a later run has succeeded$/s,
  )
  assert.doesNotMatch(after.text, /a retry|kubectl/)
  assert.equal(after.document.lastFailedRun?.run, failed)
  assert.equal(after.document.lastRun?.run, mended)
})

test('a run that was killed ended without a word, and what it applied is told', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people, '0002_slow.sql': 'select pg_sleep(60);' })
  const env = { ...envOf(db, folder), LOCKSTEP_HEARTBEAT: '200ms' }
  const running = startProgram({ env, form: 'bundle' })
  await running.says('running    0002_slow.sql')
  running.child.kill('SIGKILL')
  await running.ran
  // The server notices within client_connection_check_interval.
  await db.sql(`select pg_advisory_lock(${key})`)
  await db.sql(`select pg_advisory_unlock(${key})`)
  const { text, document } = await seen(env)
  assertOnly(text, 'last run')
  const [first, ...others] = sectionOf('last run', text)
  assert.match(first ?? '', /ended without a word \(killed, or its node went away\)$/)
  assert.deepEqual(others, [
    'the ledger knows what is applied; of this run: 1 file, the last of them 0001_people.sql',
    'to go on, run again:',
    'lockstep migrate',
  ])
  assert.equal(document.lastRun?.state, 'vanished')
  assert.deepEqual(await db.sql('select state from lockstep.run'), [{ state: 'running' }])
})

test('an invalid index is told with the line that drops it, and not while it is being built', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  await migrated(env)
  await assert.rejects(db.sql('create unique index concurrently "People""id" on people (id)'))
  const { text, document } = await seen(env)
  assertOnly(text, 'index', 'last run')
  const drop = 'drop index concurrently public."People""id";'
  assert.deepEqual(sectionOf('index', text), [
    'public."People""id" on public.people is invalid: building it failed, no query uses it, every write keeps it',
    'to remove it, before it is built again:',
    drop,
  ])
  assert.equal(document.invalidIndexes[0]?.drop, drop)
  await db.sql(drop)
  assertOnly((await seen(env)).text, 'last run')

  await using reader = await readerOf(db, 'ledger, lockstep.run, lockstep.step')
  await db.superuser('begin; lock table people in row exclusive mode')
  const building = db.sql('create index concurrently people_name on people (name)')
  // Told by the await below, if no assertion comes first.
  building.catch(() => undefined)
  const invalid = 'select from pg_index where not indisvalid'
  while ((await db.superuser(invalid)).length === 0);
  assertOnly((await seen(env)).text, 'last run')
  const hidden = await seen({ ...env, DATABASE_URL: reader.url })
  assert.match(
    sectionOf('index', hidden.text).join('\n'),
    /^public.people_name on public.people is invalid, or being built: pid \d+ builds an index now\nlook again when that is done$/,
  )
  assert.equal(hidden.document.invalidIndexes[0]?.drop, undefined)
  await db.superuser('rollback')
  await building
})

test('a session that holds the lock and does nothing may have lost its client, and what ends it is told', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  await migrated(env)
  await db.sql(`set application_name = 'lockstep/deadbeef/crm-migrate-gone'`)
  await db.sql(`select pg_advisory_lock(${key})`)
  const early = await seen(env)
  assert.match(
    sectionOf('lock', early.text).join('\n'),
    /^held by crm-migrate-gone \(run deadbeef, pid \d+\) as lockstep_test, connected for [\d.]+ s\nidle for [\d.]+ s$/,
  )
  assert.equal(early.document.lock?.mayBeOrphaned, false)

  const stop = new AbortController().signal
  const run = { id: 'cafe0123', pod: 'here', isAttended: true }
  const late = await status(readConfig(env), run, () => undefined, stop, 1)
  assert.equal(late.lock?.mayBeOrphaned, true)
  const lines = sectionOf('lock', statusText(late, false))
  assert.match(lines[1] ?? '', /^holds the lock, idle for [\d.]+ s: its client may be gone$/)
  assert.equal(lines.at(-1), `select pg_terminate_backend(${late.lock.pid});`)
  assert.equal(lines.at(-1), late.lock.terminate)
  await db.superuser(lines.at(-1) ?? '')
  await db.superuser(`select pg_advisory_lock(${key})`)
})

test('a half-done file is told with its steps, and whether this folder has it', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  await migrated(env)
  folder.write({ '0002_index.sql': 'select 1;' })
  await db.sql(`insert into lockstep.step values
    ('0001_people.sql', 1, 'aaaa', 'done'), ('0002_index.sql', 1, 'bbbbbbbbbbbbbbbb', 'done'),
    ('0002_index.sql', 2, 'cccccccccccccccc', 'begun'), ('0003_other''s.sql', 1, 'dddd', 'begun')`)
  const { text, document } = await seen(env)
  assertOnly(text, 'half done', 'half done', 'last run')
  assert.deepEqual(sectionOf('half done', text), [
    '0002_index.sql: 2 steps recorded, but the file is not applied',
    'step 1 is done (bbbbbbbbbbbb)',
    'step 2 is begun (cccccccccccc)',
    'the next run goes on behind the last that is done, and mends what one that is begun has left:',
    `select * from "lockstep".step where file = '0002_index.sql' order by ordinal;`,
  ])
  assert.match(
    text,
    /\nhalf done +0003_other's\.sql: 1 step recorded, .*\n +it is a file of another image/,
  )
  assert.deepEqual(
    document.halfDone.map(({ file, inFolder, steps }) => [file, inFolder, steps.length]),
    [
      ['0002_index.sql', true, 2],
      [`0003_other's.sql`, false, 1],
    ],
  )
  assert.equal((await db.sql(document.halfDone[1]?.look ?? '')).length, 1)
})

test('a role without rights is told what it may not see, and who can change that', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  await migrated(env)
  await db.sql(`select pg_advisory_lock(${key})`)
  await using reader = await readerOf(db, 'ledger')
  const asReader = { ...env, DATABASE_URL: reader.url }
  const { text, document } = await seen(asReader)
  assertOnly(text, 'hidden', 'hidden', 'hidden', 'lock')
  const grants = document.hidden.map(({ grant }) => grant ?? '')
  assert.deepEqual(grants, [
    `grant select on "lockstep".run to "${reader.name}";`,
    `grant select on "lockstep".step to "${reader.name}";`,
    `grant pg_read_all_stats to "${reader.name}";`,
  ])
  for (const grant of grants) assert.ok(text.includes(`\n           ${grant}\n`), text)
  assert.match(text, /the runs cannot be read: permission denied for table run \(42501\)/)
  assert.match(text, /lock .*\n +what it does is hidden from this role\n$/)
  for (const grant of grants) await db.superuser(grant)
  const after = await seen(asReader)
  assertOnly(after.text, 'last run', 'lock')
  assert.match(sectionOf('lock', after.text)[1] ?? '', /^idle for/)
})

test('a server that shows its views to nobody leaves the rest of the status', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  await migrated(env)
  await db.sql(`update lockstep.run set state = 'running'`)
  const views = ['pg_stat_activity', 'pg_locks', 'pg_stat_progress_create_index']
  for (const view of views) await db.superuser(`revoke select on pg_catalog.${view} from public`)
  const { text, document } = await seen(env)
  assertOnly(text, 'hidden', 'hidden', 'hidden', 'last run')
  assert.equal(document.files[0]?.state, 'applied')
  // Nobody knows whether it is there.
  assert.equal(document.lastRun?.state, 'running')
  assert.deepEqual(
    document.hidden.map(({ grant }) => grant),
    views.map((view) => `grant select on pg_catalog.${view} to "lockstep_test";`),
  )
  for (const { grant } of document.hidden) await db.superuser(grant ?? '')
  const after = await seen(env)
  assertOnly(after.text, 'last run')
  assert.equal(after.document.lastRun?.state, 'vanished')
})

test('status takes no lock, writes nothing, and colours a terminal only', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_people.sql': people })
  const env = envOf(db, folder)
  await migrated(env)
  // Whoever holds everything keeps no look away.
  await db.superuser(`begin; select pg_advisory_lock(${key})`)
  await db.superuser('lock table lockstep.ledger, lockstep.run, lockstep.step in exclusive mode')
  await db.sql(`alter database ${db.name} set default_transaction_read_only = on`)
  const { text, document } = await seen(env)
  assert.ok(!text.includes('\u001B'))
  assert.ok(statusText(document, true).includes('\u001B[33mlock       \u001B[0m'))
  await db.superuser('rollback')
})

/** A role that may read these tables of the ledger and nothing else. */
async function readerOf(
  db: Database,
  tables: string,
): Promise<AsyncDisposable & { readonly url: string; readonly name: string }> {
  const name = `reader_${db.name}`
  await db.superuser(`create role ${name} login password '${canary}'`)
  await db.superuser(
    `grant usage on schema lockstep to ${name}; grant select on lockstep.${tables} to ${name}`,
  )
  return {
    name,
    url: urlOf(db.url, { user: name, password: canary }),
    [Symbol.asyncDispose]: async () => {
      await db.superuser(`drop owned by ${name}; drop role ${name}`)
    },
  }
}
