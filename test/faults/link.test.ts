import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import postgres from 'postgres'
import { lockKey } from '../../src/postgres/lock.ts'
import { urlOf } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { makeNetwork, noNetwork, type Network } from '../support/namespace.ts'
import { assertFailed } from '../support/output.ts'
import { startProgram, type Running } from '../support/program.ts'
import { startServer, type Server } from '../support/server.ts'

const schemas = ['silent', 'answering', 'idle'] as const

/** A server that listens on the link, too, with a database of its own for every schema. */
async function serverFor(network: Network): Promise<Server> {
  const server = await startServer(18, [
    'fsync=off',
    `listen_addresses='127.0.0.1,${network.address}'`,
  ])
  appendFileSync(join(server.dataFolder, 'pg_hba.conf'), 'host all all samenet scram-sha-256\n')
  return server
}

/** Milliseconds until the lock of a schema is free on the server. */
async function freedAfter(url: string, schema: string, sinceMs: number): Promise<number> {
  const sql = postgres(url, { max: 1, fetch_types: false })
  try {
    await sql.unsafe(`set lock_timeout = '60s'`)
    await sql.unsafe(`select pg_advisory_lock(${lockKey(schema)})`)
    return performance.now() - sinceMs
  } finally {
    await sql.end({ timeout: 1 })
  }
}

// A proxy would keep TCP alive: only a link that is really cut shows what keepalive does.
test(
  'a runner whose link is cut holds the lock for less than 15 s, and notices that itself',
  { skip: noNetwork(), timeout: 120_000 },
  async (t) => {
    using network = makeNetwork()
    await using server = await serverFor(network)
    const sql = postgres(server.url, { max: 1, fetch_types: false, onnotice: () => undefined })
    await sql.unsafe('select pg_reload_conf()')
    await sql.unsafe('create table held (id int)')
    await sql.unsafe('select pg_advisory_lock(42)')
    await sql.unsafe('begin; lock table held in access share mode')
    const texts = {
      // The server waits, and its kernel must ask whether the other side is alive.
      silent: 'select pg_sleep(600);',
      // The server sends an answer into the void: keepalive is silent as long as that is under way.
      answering: 'select pg_advisory_xact_lock(42);',
      // Nothing runs.
      idle: 'alter table held add column name text;',
    }
    const runs: Running[] = []
    for (const schema of schemas) {
      const folder = folderOf({ '0001_a.sql': texts[schema] })
      t.after(() => folder[Symbol.dispose]())
      const url = urlOf(server.url, { host: `${network.address}:${server.port}` })
      const env = {
        DATABASE_URL: `${url}?connect_timeout=2`,
        LOCKSTEP_DIR: folder.path,
        LOCKSTEP_SCHEMA: schema,
        LOCKSTEP_BASELINE: 'ignore',
        LOCKSTEP_HEARTBEAT: '300ms',
        LOCKSTEP_LOCK_TIMEOUT: schema === 'answering' ? '0' : '10ms',
        LOCKSTEP_CONNECT_WAIT: '1s',
      }
      const { command } = network
      runs.push(startProgram({ env, command, form: 'bundle', withinMs: 90_000 }))
    }
    const [silent, answering, idle] = runs
    await silent?.says('running ')
    await answering?.says('blocked ')
    await idle?.says('again in ', 5)
    network.cut()
    const cutMs = performance.now()
    const freeing = Promise.all(schemas.map((schema) => freedAfter(server.url, schema, cutMs)))
    // Late, when the server has nearly given up: then it begins to wait anew.
    await sql.unsafe('select pg_sleep(5.5), pg_advisory_unlock_all()')
    const freed = await freeing
    const noticed = await Promise.all(
      runs.map(async ({ ran }) => {
        const ended = await ran
        return { ended, afterMs: performance.now() - cutMs }
      }),
    )
    await sql.end({ timeout: 1 })
    for (const [index, schema] of schemas.entries()) {
      const freedMs = freed[index] ?? Infinity
      const { ended, afterMs } = noticed[index] ?? assert.fail()
      t.diagnostic(
        `${schema}: freed after ${Math.round(freedMs)} ms, noticed after ${Math.round(afterMs)} ms`,
      )
      assertFailed(ended, 75, 'DATABASE_UNREACHABLE', /^lost /m)
      assert.ok(afterMs < 40_000)
      assert.ok(freedMs < 15_000, `${schema}: freed after ${freedMs} ms`)
    }
  },
)
