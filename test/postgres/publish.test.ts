import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readConfig } from '../../src/config.ts'
import type { Event, Tell } from '../../src/events.ts'
import { Failure } from '../../src/failure.ts'
import { Publishing } from '../../src/publishing.ts'
import { readPublished, textOf, type Published } from '../../src/published.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf, type TestFolder } from '../support/folder.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import {
  runProgram,
  startProgram,
  type ProgramForm,
  type Ran,
  type Running,
} from '../support/program.ts'
import { openConfirmed } from '../support/session.ts'
import { statusText } from '../support/status.ts'
import { until } from '../support/until.ts'

const two = {
  '0001_people.sql': 'create table people (id int primary key);\n',
  '0002_fill.sql': '-- lockstep: breaks-before 1\ninsert into people values (1);\n',
}

/** A file for the status, in a folder of its own. */
function statusFile() {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-status-'))
  const path = join(folder, 'status.json')
  return {
    path,
    folder,
    read: (): Published => {
      const read = readPublished(readFileSync(path, 'utf8'))
      if (typeof read === 'string') throw new Error(read)
      return read
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function migrate(
  db: Pick<Database, 'url'>,
  dir: TestFolder,
  status: string,
  env: Readonly<Record<string, string>> = {},
  form: ProgramForm = 'source',
): Promise<Ran> {
  return runProgram({
    form,
    env: {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: dir.path,
      LOCKSTEP_STATUS: `file:${status}`,
      ...env,
    },
  })
}

for (const form of ['source', 'bundle'] as const) {
  test(`${form}: a run publishes what the ledger has, and whoever finds nothing to do leaves it as it is`, async () => {
    await using db = await freshDatabase()
    using dir = folderOf(two)
    using status = statusFile()
    const first = await migrate(db, dir, status.path, { LOCKSTEP_PHASE: 'all' }, form)
    assertSucceeded(first, `file:${status.path}: succeeded, 0002`)
    assert.match(first.stdout, /^published .*\ndone /m)
    const published = status.read()
    const [run] = await db.sql<{ id: string; set: string }>(
      'select id, set_checksum as set from lockstep.run',
    )
    assert.equal(published.run, run?.id)
    assert.equal(published.set, run?.set)
    assert.equal(published.phase, 'all')
    assert.equal(published.version, '0002')
    const rows = await db.sql<{ name: string; meaning: string }>(
      'select name, left(meanings[1], 16) as meaning from lockstep.ledger',
    )
    assert.deepEqual(
      published.applied,
      Object.fromEntries(rows.map(({ name, meaning }) => [name, meaning])),
    )
    assert.deepEqual(published.breaksBefore, { '0002_fill.sql': '1' })
    assert.ok((published.finished ?? '') >= published.started)
    assert.deepEqual(readdirSync(status.folder), ['status.json'])

    const again = await migrate(db, dir, status.path, {}, form)
    assertSucceeded(again, 'nothing to do')
    assert.doesNotMatch(again.stdout, /^(lock|published)/m)
    assert.equal(status.read().run, published.run)
  })
}

// A case: what has become of the document, and what is said of that.
for (const [what, spoil, says] of [
  ['is gone', (path: string) => rmSync(path), undefined],
  ['is garbage', (path: string) => writeFileSync(path, '{"format":"1.0"'), undefined],
  ['is of another format', (path: string) => edit(path, { format: '2.0' }), undefined],
  ['tells of a run that died', (path: string) => edit(path, { state: 'running' }), undefined],
  ['lacks a file', (path: string) => edit(path, { applied: {} }), undefined],
  [
    'is of another database',
    (path: string) => edit(path, { database: '0123456789abcdef' }),
    /^warning .* tells of another database, 0123456789abcdef; this one is [0-9a-f]{16}$/m,
  ],
] as const) {
  test(`a run with nothing to do mends a document that ${what}, under the lock`, async () => {
    await using db = await freshDatabase()
    using dir = folderOf(two)
    using status = statusFile()
    assertSucceeded(await migrate(db, dir, status.path))
    const { applied, database } = status.read()
    spoil(status.path)
    const ran = await migrate(db, dir, status.path)
    assertSucceeded(ran, /^lock +taken/m, /^published .*succeeded, 0002\ndone +nothing to do/m)
    if (says !== undefined) assert.match(ran.stdout, says)
    assert.deepEqual({ ...status.read(), applied, database }, status.read())
    assert.deepEqual(await db.sql('select count(*)::int as runs from lockstep.run'), [{ runs: 1 }])
  })
}

function edit(path: string, change: Readonly<Record<string, unknown>>): void {
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }))
}

// A case: a run that writes without having looked before, its command, and a file of its own.
for (const [what, args, last, state] of [
  ['that applies files', [], 'select 1', 'succeeded'],
  ['that fails', [], 'select * from leeds', 'failed'],
  ['that adopts', ['adopt', '--upto', '3', '--yes'], 'select 1', 'succeeded'],
] as const) {
  test(`a run ${what} says once whose document it overwrites`, async () => {
    await using db = await freshDatabase()
    using dir = folderOf({ ...two, '0003_last.sql': last })
    using status = statusFile()
    writeFileSync(status.path, await statusText(dir.path))
    const env = {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: dir.path,
      LOCKSTEP_STATUS: `file:${status.path}`,
    }
    const { stdout } = await runProgram({ args, env })
    const says =
      /^warning .* tells of another database, 0123456789abcdef; this one is [0-9a-f]{16}$/gm
    assert.equal(stdout.match(says)?.length, 1, stdout)
    assert.equal(status.read().state, state)
    assert.notEqual(status.read().database, '0123456789abcdef')
  })
}

test('two databases have two ids, and the same database always the same', async () => {
  await using db = await freshDatabase()
  await using other = await freshDatabase()
  using dir = folderOf(two)
  using status = statusFile()
  const ids: string[] = []
  for (const { url } of [db, other, db]) {
    assertSucceeded(await migrate({ url }, dir, status.path))
    ids.push(status.read().database)
  }
  assert.notEqual(ids[0], ids[1])
  assert.equal(ids[0], ids[2])
})

test('a role that may not ask for the system identifier publishes all the same', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  using status = statusFile()
  await db.superuser('revoke execute on function pg_control_system() from public')
  assertSucceeded(await migrate(db, dir, status.path), /^published /m)
  assert.match(status.read().database, /^[0-9a-f]{16}$/)
})

test('a failed run says what failed, and what is applied; neither host nor user', async () => {
  await using db = await freshDatabase()
  using status = statusFile()
  const { username, hostname } = new URL(db.url)
  const broken = {
    ...two,
    '0003_role.sql': `\nalter table people owner to "${username}x ${username}"`,
  }
  const ran = await migrateFiles(db, broken, { LOCKSTEP_STATUS: `file:${status.path}` })
  assertFailed(ran, 1, 'SQL_FAILED', /^published .*: failed, 0002$/m)
  const published = status.read()
  assert.deepEqual(
    [published.state, published.error, published.exit, published.version],
    ['failed', 'SQL_FAILED', 1, '0002'],
  )
  assert.match(published.reason ?? '', /^0003_role\.sql role "\S+ \(user\)" does not exist/)
  const text = textOf(published)
  assert.ok(!text.includes(hostname), text)
  assert.doesNotMatch(text, new RegExp(`\\b${username}\\b`))
  assert.deepEqual(Object.keys(published.applied), ['0001_people.sql', '0002_fill.sql'])
})

test('a run that refuses its plan says so, and what is applied stays told', async () => {
  await using db = await freshDatabase()
  using status = statusFile()
  const env = { LOCKSTEP_STATUS: `file:${status.path}` }
  assertSucceeded(await migrateFiles(db, two, env))
  const late = { ...two, '0000_late.sql': 'select 1' }
  assertFailed(await migrateFiles(db, late, env), 1, 'FILE_OUT_OF_ORDER')
  const { state, error, applied } = status.read()
  assert.deepEqual([state, error], ['failed', 'FILE_OUT_OF_ORDER'])
  assert.deepEqual(Object.keys(applied), ['0001_people.sql', '0002_fill.sql'])
})

/** For longer than any test: who runs it is stopped. */
const andSleep = { ...two, '0003_sleep.sql': 'select pg_sleep(60)' }

/** A run that is inside the file that sleeps. */
async function startSleeping(url: string, dir: string, status: string): Promise<Running> {
  const running = startProgram({
    env: {
      DATABASE_URL: url,
      LOCKSTEP_DIR: dir,
      LOCKSTEP_STATUS: `file:${status}`,
      LOCKSTEP_HEARTBEAT: '300ms',
    },
  })
  await running.says('0003_sleep.sql for')
  return running
}

test('a stopped run says that it was interrupted', async () => {
  await using db = await freshDatabase()
  using status = statusFile()
  using dir = folderOf(andSleep)
  const running = await startSleeping(db.url, dir.path, status.path)
  assert.equal(status.read().state, 'running')
  running.child.kill('SIGTERM')
  assertFailed(await running.ran, 75, 'INTERRUPTED', /^published .*interrupted/m)
  const { state, error, exit, version } = status.read()
  assert.deepEqual([state, error, exit, version], ['interrupted', 'INTERRUPTED', 75, '0002'])
})

test('a stopped run leaves alone what another has written meanwhile', async () => {
  await using db = await freshDatabase()
  using status = statusFile()
  using dir = folderOf(andSleep)
  const running = await startSleeping(db.url, dir.path, status.path)
  // Its lock may be gone with its session.
  edit(status.path, { run: 'cafe0123' })
  running.child.kill('SIGTERM')
  const ran = await running.ran
  assertFailed(ran, 75, 'INTERRUPTED')
  assert.doesNotMatch(ran.stdout, /^published/m)
  assert.deepEqual([status.read().run, status.read().state], ['cafe0123', 'running'])
})

test('while files are applied the document follows them', async () => {
  await using db = await freshDatabase()
  using status = statusFile()
  const slow = 'select pg_sleep(1.5)'
  using dir = folderOf({
    '0001_a.sql': slow,
    '0002_b.sql': slow,
    '0003_c.sql': 'select pg_sleep(60)',
  })
  const running = startProgram({
    env: {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: dir.path,
      LOCKSTEP_STATUS: `file:${status.path}`,
      LOCKSTEP_HEARTBEAT: '500ms',
    },
  })
  await running.says('0003_c.sql for')
  await until(() => status.read().version === '0002')
  const { state, version, applied } = status.read()
  assert.deepEqual(
    [state, version, Object.keys(applied)],
    ['running', '0002', ['0001_a.sql', '0002_b.sql']],
  )
  running.child.kill('SIGTERM')
  await running.ran
})

test('a place that cannot be written is one warning, or the end where the status is required', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  const nowhere = '/nowhere/status.json'
  const ran = await migrate(db, dir, nowhere)
  assertSucceeded(ran)
  const says =
    /^warning +the status is not published: file:\/nowhere\/status\.json cannot be written: there is no such path$/gm
  assert.equal(ran.stdout.match(says)?.length, 1, ran.stdout)

  const required = await migrate(db, dir, nowhere, { LOCKSTEP_STATUS_REQUIRED: 'true' })
  assertFailed(required, 75, 'STATUS_NOT_PUBLISHED', 'the files are applied')
  assert.deepEqual(await db.sql('select state from lockstep.run'), [{ state: 'succeeded' }])
})

test('who has only the status to write waits for the lock, and leaves without it when it is written', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  using status = statusFile()
  assertSucceeded(await migrate(db, dir, status.path))
  const right = readFileSync(status.path)
  rmSync(status.path)
  await db.sql(`select pg_advisory_lock(-6666451310881527300)`)
  const waiting = startProgram({
    env: { DATABASE_URL: db.url, LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: `file:${status.path}` },
  })
  await waiting.says('the lock is held by')
  writeFileSync(status.path, right)
  assertSucceeded(await waiting.ran, 'nothing to do')

  rmSync(status.path)
  const short = await migrate(db, dir, status.path, { LOCKSTEP_RUNNER_WAIT: '100ms' })
  assertSucceeded(
    short,
    /^warning +the status is not published: the lock is held by/m,
    'nothing to do',
  )
  const required = await migrate(db, dir, status.path, {
    LOCKSTEP_RUNNER_WAIT: '100ms',
    LOCKSTEP_STATUS_REQUIRED: 'true',
  })
  assertFailed(required, 75, 'STATUS_NOT_PUBLISHED')
})

test('without a cluster the client of Kubernetes is never loaded', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  using status = statusFile()
  const dist = join(status.folder, 'dist')
  cpSync(join(import.meta.dirname, '..', '..', 'dist'), dist, { recursive: true })
  rmSync(join(dist, 'client.cjs'))
  const say = async (where: string): Promise<string> => {
    const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: dir.path, LOCKSTEP_STATUS: where }
    const program = join(dist, 'lockstep.mjs')
    return (await promisify(execFile)(process.execPath, [program], { env })).stdout
  }
  assert.match(await say(`file:${status.path}`), /^published /m)
  assert.match(await say(`file:${status.path}`), /^done +nothing to do/m)
  assert.match(await say('configmap/shop/crm'), /^warning +the status is not published: an unexp/m)
})

/** What a run publishes into a file, and what it says meanwhile. */
function publishingTo(path: string, stop = new AbortController().signal) {
  const config = readConfig({
    DATABASE_URL: 'postgres://migrator@db.internal/crm',
    LOCKSTEP_STATUS: `file:${path}`,
  })
  const run = { id: 'cafe0123', pod: 'test', isAttended: true }
  const said: Event[] = []
  const target = { kind: 'file', path } as const
  const tell: Tell = (event) => said.push(event)
  return { publishing: new Publishing(target, config, run, '0'.repeat(64), tell, stop), said }
}

test('of a ledger that was not read nothing is published', async () => {
  using status = statusFile()
  const { publishing, said } = publishingTo(status.path)
  await publishing.fails(new Failure('SAME_FILES_FAILED', 'another run has failed'))
  assert.deepEqual([readdirSync(status.folder), said], [[], []])
})

test('a run that lost its turn writes nothing any more', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  using status = statusFile()
  const { publishing } = publishingTo(status.path)
  await publishing.knows(session, [])
  publishing.begins()
  publishing.rests()
  // Longer than what was put off until the server has work.
  await new Promise((passed) => setTimeout(passed, 50))
  assert.deepEqual(readdirSync(status.folder), [])
})

test('a reason is one line of at most a thousand characters, and names neither host nor user', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  using status = statusFile()
  const { publishing, said } = publishingTo(status.path)
  await publishing.knows(session, [])
  const names = 'migrator at db.internal, not migrators nor my-db.internal\n'
  await publishing.fails(new Failure('SQL_FAILED', `${names}:${'🙂'.repeat(600)}`))
  const { reason = '', state } = status.read()
  assert.equal(state, 'failed')
  assert.ok(
    reason.startsWith('(user) at (host), not migrators nor my-db.internal\\u000a:🙂'),
    reason,
  )
  assert.ok(reason.length <= 1_000 && reason.isWellFormed())
  assert.deepEqual(
    said.map(({ checkpoint }) => checkpoint),
    ['published'],
  )
})

test('adopting publishes, too', async () => {
  await using db = await freshDatabase()
  using dir = folderOf(two)
  using status = statusFile()
  await db.sql('create table people (id int primary key)')
  const env = {
    DATABASE_URL: db.url,
    LOCKSTEP_DIR: dir.path,
    LOCKSTEP_STATUS: `file:${status.path}`,
  }
  assertSucceeded(
    await runProgram({ args: ['adopt', '--upto', '2', '--yes'], env }),
    /^published /m,
  )
  assert.equal(status.read().version, '0002')
})
