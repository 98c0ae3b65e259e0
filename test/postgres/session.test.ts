import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import type { Session } from '../../src/postgres/session.ts'
import { ServerError } from '../../src/postgres/server-error.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { open, openConfirmed } from '../support/session.ts'

function isLost(error: unknown): boolean {
  return (
    error instanceof Failure && error.code === 'CONNECTION_LOST' && error.message.includes('57P01')
  )
}

async function backends(db: Database): Promise<number> {
  const [row] = await db.superuser<{ count: number }>(
    `select count(*)::int from pg_stat_activity where datname = '${db.name}' and application_name = 'lockstep/test'`,
  )
  return row?.count ?? 0
}

async function terminate(db: Database, session: Session): Promise<void> {
  await db.superuser(`select pg_terminate_backend(${session.frames.pid}, 5000)`)
}

test('a session reads rows, errors, tags and its own pid', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  assert.deepEqual([...(await session.query('select 1 as one'))], [{ one: 1 }])
  await session.execute(
    'create table t (id int); insert into t values (1), (2); begin; update t set id = id',
  )
  assert.deepEqual(session.frames.tags, ['CREATE TABLE', 'INSERT 0 2', 'BEGIN', 'UPDATE 2'])
  assert.equal(session.frames.status, 'T')
  await assert.rejects(
    session.execute('selekt 1'),
    (error) => error instanceof ServerError && error.sqlState === '42601',
  )
  assert.equal(session.frames.status, 'E')
  await session.execute('rollback')
  assert.equal(session.frames.status, 'I')
})

// The driver alone would run the next query on a new connection, without the lock and without an error.
test('a session that is ended while it is idle is over: no later call reaches any server', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  await terminate(db, session)
  await assert.rejects(session.query('select 1'), isLost)
  await assert.rejects(session.execute('create table stray (id int)'), isLost)
  assert.equal(await backends(db), 0)
  assert.deepEqual(await db.sql(`select to_regclass('stray') as stray`), [{ stray: null }])
})

test('a session that is ended while a statement runs rejects that and everything behind it, with the cause', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  const calls = [
    session.execute('select pg_sleep(30)'),
    session.execute('create table stray (id int)'),
    session.query('select 1'),
  ]
  const settled = Promise.allSettled(calls)
  await db.superuser(`select pg_sleep(0.05)`)
  await terminate(db, session)
  for (const result of await settled) {
    assert.ok(result.status === 'rejected' && result.reason instanceof Failure)
    assert.match(result.reason.message, /ended by an administrator or a shutdown \(57P01\)/)
  }
  assert.equal(await backends(db), 0)
  assert.deepEqual(await db.sql(`select to_regclass('stray') as stray`), [{ stray: null }])
})

test('an open transaction is gone with its session, and nothing behind it runs outside of one', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  await session.execute('begin; create table half (id int)')
  await terminate(db, session)
  await assert.rejects(session.execute('create table stray (id int); commit'), Failure)
  assert.deepEqual(
    await db.sql(`select to_regclass('half') as half, to_regclass('stray') as stray`),
    [{ half: null, stray: null }],
  )
})

test('an answer that came while the process was stopped is no loss, however late it is read', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  const answered = session.execute('select pg_sleep(0.2)', 400)
  answered.catch(() => undefined)
  await db.superuser('select pg_sleep(0.05)')
  // As SIGSTOP does: timers are due and bytes have come when it goes on.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
  assert.deepEqual((await answered).tags, ['SELECT 1'])
})

test('a session that is abandoned rejects with the reason at once, whatever the server does', async () => {
  await using db = await freshDatabase()
  await using session = await openConfirmed(db)
  const sleeping = session.execute('select pg_sleep(30)')
  sleeping.catch(() => undefined)
  await session.interrupt(new Failure('INTERRUPTED', 'stopped'))
  await assert.rejects(
    sleeping,
    (error) => error instanceof Failure && error.code === 'INTERRUPTED',
  )
  await assert.rejects(
    session.query('select 1'),
    (error) => error instanceof Failure && error.code === 'INTERRUPTED',
  )
})

for (const form of ['source', 'bundle'] as const) {
  test(`${form}: a run that has lost its session inside a file tries the file again, and succeeds`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf({ '0001_slow.sql': 'create table slow (); select pg_sleep(1.5);' })
    const env = {
      DATABASE_URL: db.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_HEARTBEAT: '200ms',
    }
    const running = startProgram({ env, form })
    await running.says('waits for Timeout PgSleep')
    await db.superuser(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = '${db.name}' and wait_event = 'PgSleep'`)
    assertSucceeded(await running.ran, /^lost .* inside 0001_slow.sql/m, '1 file applied')
  })
}

test('leaving the scope ends the session on the server, and with it its advisory lock', async () => {
  await using db = await freshDatabase()
  {
    await using session = await openConfirmed(db)
    await session.query('select pg_advisory_lock(1)')
    assert.equal(await backends(db), 1)
  }
  // Waits for the lock itself, bounded by the server.
  await db.sql(`set lock_timeout = '5s'`)
  await db.sql('select pg_advisory_lock(1)')
  assert.equal(await backends(db), 0)
})

test('nothing may be set before the session is known to be our own', async () => {
  await using db = await freshDatabase()
  await using session = await open(db.url)
  assert.throws(() => void session.execute('set work_mem = 64'), /not confirmed/)
})

/** A proxy that tells another pid in the key data, as a pooler does. */
async function poolerLike(target: {
  host: string
  port: number
}): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      // BackendKeyData: K, length 12, pid, secret.
      const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]))
      if (at !== -1) chunk.writeInt32BE(4242, at + 5)
      client.write(chunk)
    })
    upstream.on('close', () => client.destroy())
    client.on('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address !== 'string')
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('a pooler is refused before anything has been set or locked', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({ '0001_a.sql': 'create table a (id int);' })
  const { hostname, port } = new URL(db.url)
  await using pooler = await poolerLike({ host: hostname, port: Number(port) })
  const url = new URL(db.url)
  url.port = String(pooler.port)
  const ran = await runProgram({
    env: { DATABASE_URL: url.href, LOCKSTEP_DIR: folder.path },
    form: 'bundle',
  })
  assertFailed(ran, 64, 'POOLER_BETWEEN', 'is a connection pooler')
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as ledger`), [{ ledger: null }])
})

test('what the driver would read from the environment by itself changes nothing', async () => {
  await using db = await freshDatabase()
  const wrong = {
    PGMAX: '0',
    PGSSL: 'require',
    PGSSLNEGOTIATION: 'direct',
    PGIDLE_TIMEOUT: '1',
    PGCONNECT_TIMEOUT: '-1',
    PGMAX_LIFETIME: '1',
    PGMAX_PIPELINE: '0',
    PGBACKOFF: 'x',
    PGKEEP_ALIVE: 'x',
    PGPREPARE: 'x',
    PGDEBUG: 'x',
    PGFETCH_TYPES: 'x',
    PGPUBLICATIONS: 'x',
    PGAPPNAME: 'x',
    PGHOST: 'nowhere.invalid',
    PGUSERNAME: 'x',
    PGPASSWORD: 'x',
  }
  const kept = { ...process.env }
  try {
    Object.assign(process.env, wrong)
    await using session = await openConfirmed(db)
    const name = `current_setting('application_name') as name`
    assert.deepEqual([...(await session.query(`select ${name}`))], [{ name: 'lockstep/test' }])
  } finally {
    for (const name of Object.keys(wrong)) delete process.env[name]
    Object.assign(process.env, kept)
  }
})
