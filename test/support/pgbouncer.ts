import { spawn } from 'node:child_process'
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import postgres from 'postgres'
import { freePort, identity } from './server.ts'

/** A PgBouncer before the server of a test, stopped when the scope is left. */
export interface Pooler extends AsyncDisposable {
  readonly port: number
  /** The connection string of the test's database, through the pooler. */
  readonly url: string
  /** What stands in each server session of the pool; as many as the pool may have are opened. */
  sessions(): Promise<PoolSession[]>
}

interface PoolSession {
  readonly pid: number
  /** Settings that somebody SET, but for those that PgBouncer sets for each of its clients. */
  readonly settings: Readonly<Record<string, string>>
  readonly role: string
  /** The setting `app.custom`, which no catalogue lists. */
  readonly custom: string | null
  readonly advisoryLocks: number
  readonly temporaryTables: readonly string[]
  readonly channels: readonly string[]
}

const poolSize = 3
const readyWithinMs = 10_000

/** Where Debian and others put it; undefined where it is not installed. */
const program = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find(isProgram)

/** For the option `skip` of a test: why it cannot run here, or false. */
export const noPooler: string | false =
  program === undefined ? 'pgbouncer is not installed (apt-get install pgbouncer)' : false

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

interface Options {
  /** What the pooler says at the beginning of each server session. */
  readonly connectQuery?: string
  /** Start-up parameters that it drops instead of refusing the client. */
  readonly ignored?: readonly string[]
}

/** @param url - of the test's database on the server itself */
export async function startPooler(
  url: string,
  mode: 'session' | 'transaction',
  { connectQuery, ignored = [] }: Options = {},
): Promise<Pooler> {
  const { hostname, port: serverPort, username, password } = new URL(url)
  const home = mkdtempSync(join(tmpdir(), 'lockstep-pgbouncer-'))
  const port = await freePort()
  const query = connectQuery === undefined ? '' : ` connect_query='${connectQuery}'`
  const config = `
[databases]
* = host=${hostname} port=${serverPort}${query}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(home, 'users')}
pool_mode = ${mode}
default_pool_size = ${poolSize}
ignore_startup_parameters = ${ignored.join(',')}
`
  writeFileSync(join(home, 'config'), config)
  writeFileSync(
    join(home, 'users'),
    `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`,
  )
  for (const path of [home, join(home, 'config'), join(home, 'users')]) chmodSync(path, 0o755)

  const child = spawn(program ?? 'pgbouncer', [join(home, 'config')], {
    ...identity,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const killAtExit = (): void => {
    child.kill('SIGKILL')
  }
  process.on('exit', killAtExit)
  await new Promise<void>((resolve, reject) => {
    let log = ''
    const timer = setTimeout(
      () => reject(new Error(`PgBouncer is not ready: ${log}`)),
      readyWithinMs,
    )
    child.stderr.on('data', (chunk: Buffer) => {
      if (log.length < 20_000) log += chunk.toString()
      if (!log.includes('process up')) return
      clearTimeout(timer)
      resolve()
    })
    child.once('error', reject)
    void gone.then(() => reject(new Error(`PgBouncer ended: ${log}`)))
  })

  const through = new URL(url)
  through.host = `127.0.0.1:${port}`
  return {
    port,
    url: through.href,
    sessions: () => sessionsOf(through.href),
    [Symbol.asyncDispose]: async () => {
      // It keeps nothing, and its gentler signals wait for clients.
      child.kill('SIGKILL')
      await gone
      process.off('exit', killAtExit)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const look = `
  select pg_backend_pid() as pid, current_setting('role') as role,
    nullif(current_setting('app.custom', true), '') as custom,
    (select coalesce(json_object_agg(name, setting), '{}') from pg_settings
      where source = 'session' and name not in
        ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
    ) as settings,
    (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as "advisoryLocks",
    (select coalesce(json_agg(relname), '[]') from pg_class where relnamespace = pg_my_temp_schema()) as "temporaryTables",
    (select coalesce(json_agg(channel), '[]') from pg_listening_channels() as channel) as channels`

/** Transactions that are open at the same time are on sessions of their own. */
async function sessionsOf(url: string): Promise<PoolSession[]> {
  const clients = Array.from({ length: poolSize }, () =>
    postgres(url, { max: 1, fetch_types: false, prepare: false, onnotice: () => undefined }),
  )
  try {
    const arrived = Promise.withResolvers<void>()
    let waiting = clients.length
    return await Promise.all(
      clients.map((client) =>
        client.begin(async (transaction) => {
          const [row] = await transaction.unsafe<PoolSession[]>(look)
          waiting -= 1
          if (waiting === 0) arrived.resolve()
          await arrived.promise
          if (row === undefined) throw new Error('a look without a row')
          return row
        }),
      ),
    )
  } finally {
    await Promise.all(clients.map((client) => client.end({ timeout: 1 })))
  }
}
