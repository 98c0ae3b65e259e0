import assert from 'node:assert/strict'
import { test } from 'node:test'
import postgres from 'postgres'
import { freshDatabase, urlOf } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram, type Running } from '../support/program.ts'
import { startServer } from '../support/server.ts'

const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)
const files = { '0001_a.sql': 'create table a (id int);\n' }

function patient(url: string, dir: string): Running {
  const env = { DATABASE_URL: url, LOCKSTEP_DIR: dir, LOCKSTEP_CONNECT_WAIT: '60s' }
  return startProgram({ env, form: 'bundle', withinMs: 60_000 })
}

test('a database that is created late is waited for', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  const name = `${db.name}_late`
  const running = patient(urlOf(db.url, { database: name }), folder.path)
  await running.says('does not exist (3D000)')
  await db.superuser(`create database ${name} owner lockstep_test`)
  try {
    assertSucceeded(await running.ran, /^waiting .*3D000/m, '1 file applied')
  } finally {
    await db.superuser(`drop database ${name} with (force)`)
  }
})

test('a server that is full is waited for', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  await db.superuser(`alter database ${db.name} connection limit 0`)
  const running = patient(db.url, folder.path)
  await running.says('is not ready: too many connections for database')
  await db.superuser(`alter database ${db.name} connection limit -1`)
  assertSucceeded(await running.ran, /^waiting .*\(53300\)/m, '1 file applied')
})

test('a standby is waited for until it is promoted', async () => {
  await using server = await startServer(major)
  using folder = folderOf(files)
  await server.stop()
  server.write({ 'standby.signal': '' })
  await server.start()
  const running = patient(server.url, folder.path)
  await running.says('is a standby, which takes no writes')
  const sql = postgres(server.url, { max: 1, fetch_types: false })
  try {
    await sql.unsafe('select pg_promote()')
  } finally {
    await sql.end({ timeout: 1 })
  }
  assertSucceeded(await running.ran, '1 file applied')
})

test('a wrong password is not waited for', async () => {
  await using db = await freshDatabase()
  using folder = folderOf(files)
  const running = patient(urlOf(db.url, { password: 'wrong' }), folder.path)
  const begunMs = performance.now()
  const ran = await running.ran
  assertFailed(ran, 64, 'LOGIN_REFUSED', '28P01')
  assert.doesNotMatch(ran.output, /^waiting/m)
  assert.ok(performance.now() - begunMs < 10_000)
})
