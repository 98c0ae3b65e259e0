import { spawn, spawnSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { superuserPassword } from './secrets.ts'

/** A throw-away PostgreSQL of one major version, with nothing kept when it stops. */
export interface Server extends AsyncDisposable {
  /** Connection string of the superuser, over TCP with SCRAM. */
  readonly url: string
  /** Folder of the unix socket, where anybody is trusted. */
  readonly socketFolder: string
  /** Where its data and `pg_hba.conf` are. */
  readonly dataFolder: string
  readonly port: number
  /** Ends the server as `mode` says and resolves when it is gone. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Starts it again on the same data, port and socket. */
  start(): Promise<void>
  /** Writes files into the data folder, as the server's own. */
  write(files: Readonly<Record<string, string>>): void
  /** Lets the server read its configuration again, certificates and `pg_hba.conf` too. */
  reload(): Promise<void>
}

/** PostgreSQL refuses to run as root; root drops to this id, that of `nobody` on most systems. */
const unprivilegedId = 65534
const isRoot = process.getuid?.() === 0
export const identity = isRoot ? { uid: unprivilegedId, gid: unprivilegedId } : {}
const readyWithinMs = 30_000

/** Majors whose packages are installed for this platform. */
export function installedMajors(): number[] {
  return [14, 15, 16, 17, 18].filter((major) => packageOf(major) !== undefined)
}

function packageOf(major: number): string | undefined {
  const name = `postgres${major}-${process.platform}-${process.arch}`
  const root = join(import.meta.dirname, '..', '..')
  const places = [
    join(root, 'node_modules', name),
    join(root, 'test', 'matrix', 'node_modules', name),
  ]
  return places.find((place) => existsSync(place))
}

/**
 * @param settings - lines of `postgresql.conf`; without any, durability is off for speed
 */
export async function startServer(major: number, settings = ['fsync=off']): Promise<Server> {
  const from = packageOf(major)
  if (from === undefined) throw new Error(`no package of PostgreSQL ${major} for this platform`)
  const home = mkdtempSync(join(tmpdir(), `lockstep-pg${major}-`))
  const programs = join(home, 'native')
  const parent = mkdtempSync(
    join(settings.includes('fsync=off') ? quickest() : tmpdir(), 'lockstep-data-'),
  )
  const data = join(parent, 'data')
  // A copy, since a folder above the packages may be closed to the unprivileged user.
  cpSync(join(from, 'native'), programs, { recursive: true })
  linkLibraries(home, programs)
  mkdirSync(data)
  const passwordFile = join(home, 'password')
  writeFileSync(passwordFile, superuserPassword)
  for (const path of [home, parent]) chmodSync(path, 0o755)
  if (isRoot)
    for (const path of [home, data, passwordFile]) chownSync(path, unprivilegedId, unprivilegedId)
  const port = await freePort()
  initialise(programs, data, passwordFile)
  const conf = [
    `port=${port}`,
    `unix_socket_directories='${home}'`,
    "listen_addresses='127.0.0.1'",
    ...settings,
  ]
  writeFileSync(join(data, 'postgresql.auto.conf'), `${conf.join('\n')}\n`)

  let running: ReturnType<typeof launch> | undefined
  const remove = (): void => {
    for (const path of [home, parent]) rmSync(path, { recursive: true, force: true })
  }
  const killAtExit = (): void => {
    running?.child.kill('SIGQUIT')
    remove()
  }
  process.on('exit', killAtExit)
  const start = async (): Promise<void> => {
    running = launch(programs, data)
    await running.ready
  }
  const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    running?.child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await running?.gone
    running = undefined
  }
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) {
      const path = join(data, name)
      writeFileSync(path, text)
      chmodSync(path, 0o600)
      if (isRoot) chownSync(path, unprivilegedId, unprivilegedId)
    }
  }
  const reload = async (): Promise<void> => {
    const reloaded = running?.says('reloading configuration files')
    running?.child.kill('SIGHUP')
    await reloaded
  }
  await start()
  return {
    write,
    reload,
    url: `postgres://postgres:${superuserPassword}@127.0.0.1:${port}/postgres`,
    socketFolder: home,
    dataFolder: data,
    port,
    start,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
      process.off('exit', killAtExit)
      remove()
    },
  }
}

/** Memory, where it is a folder with room: a database is made in 10 ms there, and in 100 to 200 on a disk. */
function quickest(): string {
  const memory = '/dev/shm'
  try {
    accessSync(memory, constants.W_OK)
    const { bavail, bsize } = statfsSync(memory)
    return bavail * bsize > leastRoomBytes ? memory : tmpdir()
  } catch {
    return tmpdir()
  }
}

const leastRoomBytes = 4 * 2 ** 30

/** The packages leave links to an install script, which this project does not run. */
function linkLibraries(home: string, programs: string): void {
  const list = join(programs, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'))
  for (const { source, target } of links) {
    const path = join(home, target)
    if (!existsSync(path)) symlinkSync(basename(source), path)
    if (dirname(source) !== dirname(target)) throw new Error('a link that leaves its folder')
  }
  if (isRoot) for (const entry of readdirSync(programs)) lchownSync(join(programs, entry), 0, 0)
}

function initialise(programs: string, data: string, passwordFile: string): void {
  const flags = [
    '-D',
    data,
    '-U',
    'postgres',
    '--pwfile',
    passwordFile,
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]
  const auth = ['--auth-host=scram-sha-256', '--auth-local=trust']
  const made = spawnSync(join(programs, 'bin', 'initdb'), [...flags, ...auth], {
    ...identity,
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`)
}

function launch(programs: string, data: string) {
  const child = spawn(join(programs, 'bin', 'postgres'), ['-D', data], {
    ...identity,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve()).once('error', () => resolve())
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-20_000)
  })
  /** Resolves when the server logs this, from now on. */
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`PostgreSQL does not say “${text}”: ${log}`)),
        readyWithinMs,
      )
      let said = ''
      child.stderr.on('data', function listen(chunk: Buffer) {
        said += chunk.toString()
        if (!said.includes(text)) return
        child.stderr.off('data', listen)
        clearTimeout(timer)
        resolve()
      })
      void gone.then(() => {
        clearTimeout(timer)
        reject(new Error(`PostgreSQL ended: ${log}`))
      })
    })
  const ready = says('database system is ready to accept')
  return { child, ready, gone, says }
}

/** A port that the system has just chosen; PostgreSQL itself cannot ask for one. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
