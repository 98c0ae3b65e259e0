import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { folderOf } from './support/folder.ts'
import { runProgram, startProgram, type Asked, type Running } from './support/program.ts'
import { installedMajors, startServer } from './support/server.ts'

/**
 * What `make demo-waiting` shows: a backend holds a table, a migration that must change it is held
 * up, names the backend, tries again and passes; a second runner waits for the first.
 */
const major = installedMajors().at(-1)
if (major === undefined)
  throw new Error(`there is no PostgreSQL package for ${process.platform} ${process.arch}`)

await using server = await startServer(major)
using folder = folderOf({})
cpSync('sql', join(folder.path, 'sql'), { recursive: true })

const earlier = await runProgram(asked('earlier'))
if (earlier.exit !== 0) throw new Error(`the worked example does not run:\n${earlier.output}`)
say('earlier', earlier.output.trimEnd().split('\n').at(-1) ?? '')

writeFileSync(
  join(folder.path, 'sql', '0018_lead_campaign.sql'),
  'alter table leads add column campaign text;\n',
)
const backend = postgres(server.url, {
  max: 1,
  onnotice: () => undefined,
  connection: { application_name: 'backend' },
})
try {
  say('backend', 'begin; select count(*) from leads;   -- and then it thinks for a while')
  await backend.unsafe('begin')
  await backend.unsafe('select count(*) from leads')

  const migration = lockstep('migration')
  await migration.says('blocked ')
  const second = lockstep('second')
  await second.says('waiting ')
  await migration.says('retry ')
  say('backend', 'commit;')
  await backend.unsafe('commit')
  const [first, other] = await Promise.all([migration.ran, second.ran])
  process.exitCode = first.exit === 0 && other.exit === 0 ? 0 : 1
} finally {
  await backend.end({ timeout: 1 })
}

function asked(who: string): Asked {
  const env = {
    DATABASE_URL: server.url,
    LOCKSTEP_LOCK_TIMEOUT: '1s',
    POD_NAME: `crm-migrate-${who}`,
  }
  return { env, cwd: folder.path, form: 'bundle', withinMs: 60_000 }
}

function lockstep(who: string): Running {
  const running = startProgram(asked(who))
  running.child.stdout?.on('data', (chunk: string) => {
    for (const line of chunk.trimEnd().split('\n')) say(who, line)
  })
  return running
}

function say(who: string, line: string): void {
  console.log(`${who.padEnd(11)}${line}`)
}
