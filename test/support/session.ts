import assert from 'node:assert/strict'
import { readAddress, type Address } from '../../src/postgres/address.ts'
import { Session } from '../../src/postgres/session.ts'
import { dial } from '../../src/postgres/socket.ts'
import type { Database } from './database.ts'

const never = new AbortController().signal

function addressOf(url: string): Address {
  const [address] = readAddress({ DATABASE_URL: url }).addresses
  assert.ok(address)
  return address
}

export async function open(url: string): Promise<Session> {
  return new Session(await dial(addressOf(url), never), 'lockstep/test')
}

/** A session that may set things. */
export async function openConfirmed(db: Pick<Database, 'url'>): Promise<Session> {
  const session = await open(db.url)
  const [row] = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
  session.confirm(row?.pid ?? 0)
  return session
}
