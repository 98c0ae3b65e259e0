import { randomBytes } from 'node:crypto'
import { after } from 'node:test'
import postgres from 'postgres'
import { canary } from './secrets.ts'
import { startServer, type Server } from './server.ts'

/** A database of its own for one test, owned by an ordinary role, dropped when the scope is left. */
export interface Database extends AsyncDisposable {
  readonly name: string
  /** For the program under test: an ordinary role that owns the database. */
  readonly url: string
  /** The same database as the superuser. */
  readonly superuserUrl: string
  /** Runs SQL as the owner and returns the rows. */
  sql<Row extends object = Record<string, unknown>>(text: string): Promise<Row[]>
  /** Runs SQL as the superuser and returns the rows. */
  superuser<Row extends object = Record<string, unknown>>(text: string): Promise<Row[]>
}

const owner = 'lockstep_test'

let server: Promise<{ url: string; started: Server | undefined }> | undefined

after(async () => {
  await (await server)?.started?.[Symbol.asyncDispose]()
})

/** The server of the runner, or one of this process where a file is run by itself. */
async function serverUrl(): Promise<string> {
  server ??= findServer()
  return (await server).url
}

async function findServer(): Promise<{ url: string; started: Server | undefined }> {
  const given = process.env['TEST_DATABASE_URL']
  const started = given === undefined ? await startServer(18) : undefined
  const url = given ?? started?.url ?? ''
  await withClient(url, async (admin) => {
    // Several test processes may do this at once.
    await admin.unsafe(`select pg_advisory_lock(4711)`)
    await admin.unsafe(`do $$ begin
      if not exists (select from pg_roles where rolname = '${owner}') then
        create role ${owner} login password '${canary}';
      end if;
    end $$`)
  })
  return { url, started }
}

export async function freshDatabase(): Promise<Database> {
  const url = await serverUrl()
  const name = `lockstep_${randomBytes(6).toString('hex')}`
  await withClient(url, (admin) => admin.unsafe(`create database ${name} owner ${owner}`))
  const superuserUrl = urlOf(url, { database: name })
  const ownerUrl = urlOf(url, { database: name, user: owner, password: canary })
  const asOwner = client(ownerUrl)
  const asSuperuser = client(superuserUrl)
  return {
    name,
    url: ownerUrl,
    superuserUrl,
    sql: <Row>(text: string) => rowsOf<Row>(asOwner, text),
    superuser: <Row>(text: string) => rowsOf<Row>(asSuperuser, text),
    [Symbol.asyncDispose]: async () => {
      await asOwner.end({ timeout: 1 })
      await asSuperuser.end({ timeout: 1 })
      await withClient(url, (admin) => admin.unsafe(`drop database ${name} with (force)`))
    },
  }
}

/** A connection string with other parts. */
export function urlOf(
  url: string,
  parts: { database?: string; user?: string; password?: string; host?: string },
): string {
  const changed = new URL(url)
  if (parts.database !== undefined) changed.pathname = `/${parts.database}`
  if (parts.user !== undefined) changed.username = encodeURIComponent(parts.user)
  if (parts.password !== undefined) changed.password = encodeURIComponent(parts.password)
  if (parts.host !== undefined) changed.host = parts.host
  return changed.href
}

function client(url: string): postgres.Sql {
  return postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined })
}

export async function rowsOf<Row>(on: postgres.Sql, text: string): Promise<Row[]> {
  // oxlint-disable-next-line no-unsafe-type-assertion -- the test that wrote the query knows its columns
  return [...(await on.unsafe(text))] as Row[]
}

/** A connection of its own, in no transaction of others. */
export async function withClient(
  url: string,
  use: (client: postgres.Sql) => Promise<unknown>,
): Promise<void> {
  const admin = client(url)
  try {
    await use(admin)
  } finally {
    await admin.end({ timeout: 1 })
  }
}
