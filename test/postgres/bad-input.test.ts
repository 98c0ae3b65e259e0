import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { freshDatabase, urlOf } from '../support/database.ts'
import { canary } from '../support/secrets.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram } from '../support/program.ts'
import { freePort, startServer } from '../support/server.ts'

const one = { '0001_a.sql': 'create table a (id int);\n' }
const secret = encodeURIComponent(canary)

// What never gets as far as a database.
for (const [what, env, exit, code, said] of [
  ['no address', {}, 64, 'CONFIG_INVALID', 'DATABASE_URL is not set'],
  [
    'a mistyped DATABASE_URL',
    { DATABSE_URL: `postgres://u:${secret}@h/d` },
    64,
    'CONFIG_INVALID',
    'DATABSE_URL is set; is DATABASE_URL meant?',
  ],
  [
    'an address that is none',
    { DATABASE_URL: `u:${canary}@h/d` },
    64,
    'CONFIG_INVALID',
    'does not begin with postgres://',
  ],
  [
    'a raw # in the password',
    { DATABASE_URL: `postgres://u:#${canary}@h/d` },
    64,
    'CONFIG_INVALID',
    'percent-encoded',
  ],
  [
    'a raw / in the password',
    { DATABASE_URL: `postgres://u:1/${canary}@h/d` },
    64,
    'CONFIG_INVALID',
    'percent-encoded',
  ],
  [
    'a stray % in the password',
    { DATABASE_URL: `postgres://u:%zz${canary}@h/d` },
    64,
    'CONFIG_INVALID',
    '%',
  ],
  [
    'a JDBC address',
    { DATABASE_URL: `jdbc:postgresql://h/d?password=${canary}` },
    64,
    'CONFIG_INVALID',
    'JDBC',
  ],
  [
    'a key=value address',
    { DATABASE_URL: `host=h password=${canary}` },
    64,
    'CONFIG_INVALID',
    'key=value',
  ],
  [
    'a mistyped variable',
    { DATABASE_URL: `postgres://u:${secret}@h/d`, LOCKSTEP_DIRR: canary },
    64,
    'CONFIG_INVALID',
    'LOCKSTEP_DIRR is not known; is LOCKSTEP_DIR meant?',
  ],
  [
    'a secret in the wrong variable',
    { DATABASE_URL: `postgres://u:${secret}@h/d`, LOCKSTEP_CONNECT_WAIT: canary },
    64,
    'CONFIG_INVALID',
    'LOCKSTEP_CONNECT_WAIT is not a duration',
  ],
] as const) {
  test(`a clear error and no secret: ${what}`, async () => {
    for (const format of ['pretty', 'json']) {
      const ran = await runProgram({ env: { ...env, LOCKSTEP_LOG_FORMAT: format }, form: 'bundle' })
      if (format === 'pretty') assertFailed(ran, exit, code, said)
      assert.equal(ran.exit, exit)
      assert.ok(!ran.output.includes(canary) && !ran.output.includes(secret), ran.output)
    }
  })
}

test('all mistakes of the environment are told at once', async () => {
  const env = {
    LOCKSTEP_LOCK_TIMEOUT: '5',
    LOCKSTEP_BASELINE: 'maybe',
    LOCKSTEP_DIRR: 'x',
    MIGRATION_MODE: '2',
  }
  const ran = await runProgram({ env })
  assertFailed(
    ran,
    64,
    'CONFIG_INVALID',
    'DATABASE_URL',
    'LOCKSTEP_LOCK_TIMEOUT',
    'LOCKSTEP_BASELINE',
    'LOCKSTEP_DIR meant',
    'MIGRATION_MODE can only be 1',
  )
})

for (const [args, said] of [
  [['--dirr', 'x'], '--dirr is not a flag; is --dir meant?'],
  [['migrat'], 'is migrate meant?'],
  [['--json'], '--json belongs to status and plan'],
  [['--runner-wait'], '--runner-wait needs a value'],
  [['status', '--json=yes'], '--json takes no value'],
  [['--database-url', `postgres://u:${secret}@h/d`], '--database-url is not a flag'],
] as const) {
  test(`a wrong command line is explained: ${args.join(' ').replaceAll(secret, '...')}`, async () => {
    assertFailed(await runProgram({ args, form: 'bundle' }), 64, 'CONFIG_INVALID', said)
  })
}

// What is wrong with the folder or the files; the address leads nowhere and is never asked.
for (const [what, files, exit, code, said] of [
  ['an empty folder', {}, 64, 'FOLDER_EMPTY', 'holds no SQL file'],
  [
    'only other files',
    { 'README.md': '', '.hidden.sql': '' },
    64,
    'FOLDER_EMPTY',
    'holds no SQL file',
  ],
  [
    'a name without a version',
    { ...one, 'views.sql': '' },
    1,
    'FILE_NAME_INVALID',
    'views.sql is not named',
  ],
  [
    'names of another tool',
    { 'V1__a.sql': '', '2-b c.sql': '' },
    1,
    'FILE_NAME_INVALID',
    'git mv V1__a.sql 0001_a.sql',
  ],
  [
    'two files of one version',
    { ...one, '001_b.sql': '' },
    1,
    'FILE_NAME_TWICE',
    'have the same version',
  ],
  ['case twins', { ...one, '0001_A.sql': '' }, 1, 'FILE_NAME_TWICE', 'have the same version'],
  [
    'Latin-1',
    { '0001_a.sql': Buffer.from('select 1;\n-- caf\xe9\n', 'latin1') },
    1,
    'FILE_CONTENT_INVALID',
    '0001_a.sql:2:7 holds byte 0xE9',
  ],
  [
    'UTF-16',
    { '0001_a.sql': Buffer.from('select 1', 'utf16le') },
    1,
    'FILE_CONTENT_INVALID',
    'UTF-16',
  ],
  [
    'a NUL byte',
    { '0001_a.sql': 'select 1;\n\0' },
    1,
    'FILE_CONTENT_INVALID',
    '0001_a.sql:2:1 holds a NUL byte, at byte 10',
  ],
  [
    'an unknown directive',
    { '0001_a.sql': '-- note\n-- lockstep: no-transactoin\n' },
    1,
    'DIRECTIVE_UNKNOWN',
    '0001_a.sql:2:1 directive “no-transactoin”',
  ],
  [
    'a baseline without a header',
    { ...one, 'baseline.sql': 'select 1' },
    1,
    'BASELINE_INVALID',
    'baseline.sql',
  ],
  [
    'a baseline of files that are not here',
    { ...one, 'baseline.sql': '-- lockstep: baseline 7\n' },
    1,
    'BASELINE_INVALID',
    'none of that version',
  ],
] as const) {
  test(`a clear error before anything is asked of the database: ${what}`, async () => {
    using folder = folderOf(files)
    const env = {
      DATABASE_URL: `postgres://u:${secret}@127.0.0.1:1/d`,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_CONNECT_WAIT: '60s',
    }
    assertFailed(await runProgram({ env, form: 'bundle', withinMs: 5_000 }), exit, code, said)
  })
}

test('a folder that is missing, or a file, is refused with its path', async () => {
  using folder = folderOf(one)
  for (const dir of [join(folder.path, 'nowhere'), join(folder.path, '0001_a.sql')]) {
    const env = { DATABASE_URL: `postgres://u:${secret}@127.0.0.1:1/d`, LOCKSTEP_DIR: dir }
    assertFailed(await runProgram({ env, form: 'bundle' }), 64, 'FOLDER_UNREADABLE', dir)
  }
})

test('a folder that is named like a file is not read', async () => {
  using folder = folderOf(one)
  mkdirSync(join(folder.path, '0002_b.sql'))
  const env = { DATABASE_URL: `postgres://u:${secret}@127.0.0.1:1/d`, LOCKSTEP_DIR: folder.path }
  assertFailed(
    await runProgram({ env, form: 'bundle' }),
    64,
    'FILE_UNREADABLE',
    '0002_b.sql is not a regular file',
  )
})

test('a host that does not resolve, and a closed port, end with what to check', async () => {
  using folder = folderOf(one)
  const run = (host: string) =>
    runProgram({
      env: { DATABASE_URL: `postgres://u:${secret}@${host}/d`, LOCKSTEP_DIR: folder.path },
      form: 'bundle',
    })
  assertFailed(
    await run('nowhere.invalid'),
    75,
    'DATABASE_UNREACHABLE',
    /cannot reach nowhere\.invalid:5432\/d: the (host name does not resolve|name server does not answer)/,
  )
  const port = await freePort()
  const refused = await run(`127.0.0.1:${port}`)
  assertFailed(
    refused,
    75,
    'DATABASE_UNREACHABLE',
    'connection refused',
    'inside a container 127.0.0.1 is the container itself',
  )
})

test('a refused connection is told at the first try, long before the wait is over', async () => {
  using folder = folderOf(one)
  const port = await freePort()
  const env = {
    DATABASE_URL: `postgres://u:${secret}@localhost:${port}/d`,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_CONNECT_WAIT: '1s',
  }
  const ran = await runProgram({ env, form: 'bundle' })
  assertFailed(
    ran,
    75,
    'DATABASE_UNREACHABLE',
    /^waiting +cannot reach localhost:\d+\/d: connection refused$/m,
  )
  assert.match(ran.output, /waiting .*\n +inside a container localhost is the container itself/)
})

test('something that accepts and never answers ends by the time-out of the connection', async () => {
  using folder = folderOf(one)
  await using deaf = createServer((socket) => socket.resume().on('error', () => undefined))
  deaf.listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  const address = deaf.address()
  assert.ok(address !== null && typeof address !== 'string')
  for (const sslmode of ['disable', 'prefer']) {
    const url = `postgres://u:${secret}@127.0.0.1:${address.port}/d?connect_timeout=1&sslmode=${sslmode}`
    const env = { DATABASE_URL: url, LOCKSTEP_DIR: folder.path }
    assertFailed(await runProgram({ env, form: 'bundle' }), 75, 'DATABASE_UNREACHABLE')
  }
})

test('a wrong password, an unknown role and a missing database are told as what they are', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(one)
  const run = (url: string) =>
    runProgram({ env: { DATABASE_URL: url, LOCKSTEP_DIR: folder.path }, form: 'bundle' })
  assertFailed(await run(urlOf(db.url, { password: `${canary}!` })), 64, 'LOGIN_REFUSED', '28P01')
  assertFailed(await run(urlOf(db.url, { user: 'nobody_at_all' })), 64, 'LOGIN_REFUSED')
  assertFailed(await run(urlOf(db.url, { database: 'not_there' })), 64, 'DATABASE_MISSING', '3D000')
  await db.superuser(
    `revoke connect on database ${db.name} from public; alter database ${db.name} owner to postgres`,
  )
  assertFailed(await run(db.url), 64, 'PRIVILEGE_MISSING', '42501', 'grant connect')
})

test('a server that is down, and one that comes up while we wait', async () => {
  await using server = await startServer(18)
  using folder = folderOf(one)
  const env = { DATABASE_URL: server.url, LOCKSTEP_DIR: folder.path }
  await server.stop()
  assertFailed(
    await runProgram({ env, form: 'bundle' }),
    75,
    'DATABASE_UNREACHABLE',
    'connection refused',
  )
  const waiting = runProgram({ env: { ...env, LOCKSTEP_CONNECT_WAIT: '20s' }, form: 'bundle' })
  await server.start()
  assertSucceeded(await waiting, '1 file applied')
})

test('the unix socket is an address, too', async () => {
  await using server = await startServer(18)
  using folder = folderOf(one)
  const run = (env: Record<string, string>) =>
    runProgram({ env: { ...env, LOCKSTEP_DIR: folder.path }, form: 'bundle' })
  const { socketFolder: dir, port } = server
  assertSucceeded(
    await run({ DATABASE_URL: `postgres://postgres@/postgres?host=${dir}&port=${port}` }),
    '1 file applied',
    'unix socket',
  )
  // The driver would read some of these by itself, and PGTARGETSESSIONATTRS whatever it is told.
  const ask = `process.on('exit', () => {
    const left = Object.keys(process.env).filter((name) => name.startsWith('PG'))
    console.log('left of PG:', left.join() || 'none')
  })`
  assertSucceeded(
    await run({
      PGHOST: dir,
      PGPORT: `${port}`,
      PGUSER: 'postgres',
      PGMAX: '0',
      PGFETCH_TYPES: 'x',
      PGIDLE_TIMEOUT: '1',
      PGSSL: 'require',
      PGTARGETSESSIONATTRS: 'primary',
      PGAPPNAME: canary,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(ask)}`,
    }),
    'nothing to do',
    /^left of PG: none$/m,
    'application_name (PGAPPNAME) is ignored: sessions are called lockstep/RUN/POD',
  )
})
