import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { listen } from '../support/network.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, type Ran } from '../support/program.ts'
import { canary, superuserPassword } from '../support/secrets.ts'
import { freePort, startServer } from '../support/server.ts'

const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)
const secret = encodeURIComponent(canary)
const one = { '0001_a.sql': 'create table if not exists a (id int);\n' }

async function run(env: Readonly<Record<string, string>>): Promise<Ran> {
  using folder = folderOf(one)
  return await runProgram({ env: { LOCKSTEP_DIR: folder.path, ...env }, form: 'bundle' })
}

/** Something that accepts and never says a word. */
function deaf(): ReturnType<typeof listen> {
  return listen((socket) => socket.resume())
}

test('of several hosts the first that serves is taken, and the others are no matter', async () => {
  await using db = await freshDatabase()
  await using silent = await deaf()
  const { port } = new URL(db.url)
  const closed = await freePort()
  const url = (hosts: string) =>
    `postgres://lockstep_test:${secret}@${hosts}/${db.name}?connect_timeout=3`
  const found = `database   127.0.0.1:${port}/${db.name} as`
  for (const hosts of [
    `127.0.0.1:${closed},nowhere.invalid,127.0.0.1:${silent.port},127.0.0.1:${port}`,
    `127.0.0.1:${port},127.0.0.1:${closed}`,
    `/nowhere,127.0.0.1:${port}`.replaceAll('/', '%2F'),
  ]) {
    assertSucceeded(await run({ DATABASE_URL: url(hosts) }), found)
  }
  const env = {
    PGHOST: 'localhost,127.0.0.1',
    PGPORT: `${closed},${port}`,
    PGUSER: 'lockstep_test',
  }
  assertSucceeded(await run({ ...env, PGPASSWORD: canary, PGDATABASE: db.name }), found)
})

test('a host that refuses the log-in ends the run, as in libpq', async () => {
  await using db = await freshDatabase()
  const { host } = new URL(db.url)
  const url = `postgres://lockstep_test:${secret}x@${host},${host}/${db.name}`
  assertFailed(await run({ DATABASE_URL: url, LOCKSTEP_CONNECT_WAIT: '20s' }), 64, 'LOGIN_REFUSED')
})

test('with all hosts down the run ends by the deadline and names them all', async () => {
  const ports = [await freePort(), await freePort(), await freePort()]
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
  const ran = await run({
    DATABASE_URL: `postgres://u:${secret}@${hosts}/d`,
    LOCKSTEP_CONNECT_WAIT: '1s',
  })
  const said = ports.map((port) => `cannot reach 127.0.0.1:${port}/d: connection refused`)
  assertFailed(ran, 75, 'DATABASE_UNREACHABLE', ...said)
})

test('hosts that never answer end with the wait, each with its own time-out before', async () => {
  await using a = await deaf()
  await using b = await deaf()
  const hosts = `127.0.0.1:${a.port},127.0.0.1:${b.port}`
  const begunMs = performance.now()
  const ran = await run({
    DATABASE_URL: `postgres://u:${secret}@${hosts}/d?connect_timeout=1`,
    LOCKSTEP_CONNECT_WAIT: '3s',
    LOCKSTEP_HEARTBEAT: '500ms',
  })
  assertFailed(
    ran,
    75,
    'DATABASE_UNREACHABLE',
    new RegExp(`^waiting +cannot reach 127.0.0.1:${a.port}/d: no answer within 1 s, for`, 'm'),
    `cannot reach 127.0.0.1:${a.port}/d: no answer within 1 s; cannot reach 127.0.0.1:${b.port}/d`,
  )
  const tookMs = performance.now() - begunMs
  assert.ok(tookMs > 2_000 && tookMs < 8_000, `${tookMs} ms`)
})

test('a late try gets what is left of the wait, and not its whole time-out', async () => {
  await using silent = await deaf()
  const begunMs = performance.now()
  const ran = await run({
    DATABASE_URL: `postgres://u:${secret}@127.0.0.1:${silent.port}/d?connect_timeout=4`,
    LOCKSTEP_CONNECT_WAIT: '5s',
  })
  assertFailed(ran, 75, 'DATABASE_UNREACHABLE', 'no answer within')
  const tookMs = performance.now() - begunMs
  assert.ok(tookMs < 7_500, `${tookMs} ms`)
})

test('a standby is passed over, and one alone is waited for', async () => {
  await using db = await freshDatabase()
  await using standby = await startServer(major)
  await standby.stop()
  standby.write({ 'standby.signal': '' })
  await standby.start()
  const { port } = new URL(db.url)
  // The same user on both, so that it is the state that decides.
  const user = `postgres:${superuserPassword}`
  const alone = `postgres://${user}@127.0.0.1:${standby.port}/postgres`
  for (const attributes of ['any', 'primary', 'read-write']) {
    assertFailed(
      await run({ DATABASE_URL: `${alone}?target_session_attrs=${attributes}` }),
      75,
      'DATABASE_UNREACHABLE',
      'is a standby, which takes no writes',
    )
  }
  const both = `postgres://127.0.0.1:${standby.port},127.0.0.1:${port}/postgres`
  const reader = folderOf({ pass: `*:${standby.port}:*:*:${superuserPassword}\n*:*:*:*:other\n` })
  chmodSync(`${reader.path}/pass`, 0o600)
  // The password file has one password for each host: the second is asked only after the first.
  const refused = await run({
    DATABASE_URL: both,
    PGUSER: 'postgres',
    PGPASSFILE: `${reader.path}/pass`,
  })
  assertFailed(refused, 64, 'LOGIN_REFUSED', `127.0.0.1:${port}/postgres: password authentication`)
  assertSucceeded(
    await run({
      DATABASE_URL: `postgres://lockstep_test:${secret}@127.0.0.1:${port},127.0.0.1:${standby.port}/${db.name}`,
    }),
    '1 file applied',
  )
  reader[Symbol.dispose]()
})

test('read-write is checked: a role that is read-only at first will not do', async () => {
  await using db = await freshDatabase()
  await db.superuser(`alter database ${db.name} set default_transaction_read_only = on`)
  assertFailed(
    await run({ DATABASE_URL: `${db.url}?target_session_attrs=read-write` }),
    75,
    'DATABASE_UNREACHABLE',
    'is read-only, and target_session_attrs is read-write',
  )
  // Lockstep lifts what is only a default.
  assertSucceeded(await run({ DATABASE_URL: `${db.url}?target_session_attrs=primary` }))
})

test('the three spellings of a unix socket', async () => {
  await using server = await startServer(major)
  const { socketFolder: dir, port } = server
  const encoded = encodeURIComponent(dir)
  for (const env of [
    { DATABASE_URL: `postgres:///postgres?host=${dir}&port=${port}&user=postgres` },
    { DATABASE_URL: `postgres://postgres@${encoded}:${port}/postgres` },
    { PGHOST: dir, PGPORT: `${port}`, PGUSER: 'postgres' },
  ]) {
    assertSucceeded(await run(env), /unix socket$/m)
  }
})

test('address and password come from files', async () => {
  await using db = await freshDatabase()
  const { host } = new URL(db.url)
  const named = `lockstep_test`
  using files = folderOf({
    url: `${db.url}\n`,
    password: `${canary}\n`,
    pass: `127.0.0.1:*:${db.name}:${named}:${canary.replaceAll(/[\\:]/g, '\\$&')}\n`,
  })
  const at = (name: string): string => `${files.path}/${name}`
  chmodSync(at('pass'), 0o600)
  const bare = `postgres://${named}@${host}/${db.name}`
  for (const env of [
    { DATABASE_URL_FILE: at('url') },
    { DATABASE_URL: bare, PGPASSWORD_FILE: at('password') },
    { DATABASE_URL: bare, PGPASSFILE: at('pass') },
  ]) {
    assertSucceeded(await run(env))
  }
  chmodSync(at('pass'), 0o644)
  assertFailed(
    await run({ DATABASE_URL: bare, PGPASSFILE: at('pass') }),
    64,
    'LOGIN_REFUSED',
    /^warning +the password file is not used: it has group or world access/m,
  )
  assertFailed(
    await run({ DATABASE_URL: bare, PGPASSWORD: canary, PGPASSWORD_FILE: at('password') }),
    64,
    'CONFIG_INVALID',
    'PGPASSWORD and PGPASSWORD_FILE are both set',
  )
})

test('help, version and status show no secret', async () => {
  await using db = await freshDatabase()
  const env = { PGPASSWORD: canary, PGSSLPASSWORD: canary, LOCKSTEP_LOG_FORMAT: 'json' }
  for (const args of [['--help'], ['--version'], ['status'], ['status', '--json']]) {
    for (const url of [db.url, `${db.url}?schema=${secret}&application_name=${secret}`]) {
      using folder = folderOf(one)
      const ran = await runProgram({
        args,
        env: { ...env, DATABASE_URL: url, LOCKSTEP_DIR: folder.path },
        form: 'bundle',
      })
      assertSucceeded(ran)
    }
  }
})
