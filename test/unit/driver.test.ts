import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import postgres from 'postgres'
import { readAddress } from '../../src/postgres/address.ts'
import { driverOptions } from '../../src/postgres/driver.ts'

/** What the driver is given where a session has this socket. */
function optionsFor(socket: Duplex) {
  const [address] = readAddress({ DATABASE_URL: 'postgres://user:secret@host/db' }).addresses
  assert.ok(address)
  // oxlint-disable-next-line no-unsafe-type-assertion -- of a socket only `write` is looked at
  return driverOptions(socket as never, address, 'lockstep/test')
}

/** Takes nothing in, so that its buffer is full at once. */
function full(): Duplex {
  return new Duplex({ read: () => undefined, write: () => undefined, highWaterMark: 1 })
}

test('the driver gets one socket, and never another: it would reconnect without a word', () => {
  const socket = full()
  const options = optionsFor(socket)
  assert.equal(options.socket(), socket)
  assert.throws(() => options.socket(), /one socket/)
})

test('the driver never hears that a socket is full: it would hold back queries of its own', async () => {
  const socket = full()
  assert.equal(socket.write('some'), false)
  optionsFor(socket)
  assert.equal(socket.write('more'), true)
  socket.destroy()
  await once(socket, 'close')
})

test('the environment changes no option of the driver', () => {
  const options = optionsFor(full())
  const expected = postgres(options).options
  const names = `max ssl sslnegotiation idle_timeout connect_timeout max_lifetime max_pipeline backoff
    keep_alive prepare debug fetch_types publications appname host port user username database password`
  const kept = { ...process.env }
  const wrong = names.split(/\s+/).map((name) => `PG${name.toUpperCase()}`)
  try {
    for (const name of wrong) process.env[name] = '7'
    assert.deepEqual(postgres(options).options, expected)
  } finally {
    for (const name of wrong) delete process.env[name]
    Object.assign(process.env, kept)
  }
})
