import { spawn } from 'node:child_process'
import { installedMajors, startServer } from './support/server.ts'

/** What `make demo` shows: a throw-away PostgreSQL, the worked example, and a second run. */
const major = installedMajors().at(-1)
if (major === undefined)
  throw new Error(`there is no PostgreSQL package for ${process.platform} ${process.arch}`)

await using server = await startServer(major)

async function lockstep(...args: string[]): Promise<void> {
  console.log(`\n$ lockstep ${args.join(' ')}`)
  const env = { ...process.env, DATABASE_URL: server.url, LOCKSTEP_DIR: 'sql' }
  const child = spawn(process.execPath, ['dist/lockstep.mjs', ...args], { env, stdio: 'inherit' })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) process.exitCode = 1
}

console.log(`a throw-away PostgreSQL ${major} listens on 127.0.0.1:${server.port}`)
await lockstep('migrate')
await lockstep('migrate')
await lockstep('status')
await lockstep('check', '--baseline')
console.log('\nthe throw-away PostgreSQL is stopped and removed')
