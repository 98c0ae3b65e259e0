import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program } from './program.ts'
import { startScriptedServer } from './server.ts'

/**
 * Runs the program where it finds nothing to do, and the gate where it is open, and writes their caches:
 * V8 puts only those functions into a cache that have run, and these are the runs which are to be quick.
 *
 *   node bundle/rehearse.ts DIST
 */
const dist = process.argv[2] ?? 'dist'

/** The files, and what of their meaning a status has. */
const meanings = {
  '0001_first.sql': '0dc81fada5f6e01b',
  '0002_second.sql': 'c6fadfe11db56063',
}

/** What headers are read for, too. */
const header = `-- lockstep: lock-timeout 2s
-- lockstep: allow delete, truncate on public.leads
`

const files = Object.keys(meanings).map((name) => ({
  name,
  text: `-- ${name}\n${header}create table t${name.slice(0, 4)} ();\n`,
}))

const published = {
  format: '1.0',
  state: 'succeeded',
  version: '0002',
  database: '0'.repeat(16),
  run: '0'.repeat(8),
  set: '0'.repeat(64),
  program: '0.0.0',
  started: '2026-01-01T00:00:00.000Z',
  applied: meanings,
  checksums: Object.fromEntries(
    files.map(({ name, text }) => [name, hash('sha256', text).slice(0, 16)]),
  ),
  breaksBefore: {},
}

const folder = mkdtempSync(join(tmpdir(), 'lockstep-rehearsal-'))
try {
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  writeFileSync(
    join(folder, 'baseline.sql'),
    '-- lockstep: baseline 0001\ncreate table t0001 ();\n',
  )
  const rows = files.map(({ name, text }, index) => ({
    id: index + 1,
    previous: index,
    name,
    checksum: hash('sha256', text),
    meanings: ['0'.repeat(64)],
    breaksBefore: null,
    over: [],
    finished: true,
    flushed: true,
    how: 'transaction',
    finishedAt: '2026-01-01T00:00:00+00:00',
  }))
  await using server = await startScriptedServer((pid) => ({
    pid: String(pid),
    database: 'rehearsal',
    user: 'rehearsal',
    format: '1.0',
    rows: JSON.stringify(rows),
    steps: '[]',
    hasSucceeded: 't',
  }))
  await rehearse('program', [], { DATABASE_URL: server.url })
  const status = join(folder, 'status.json')
  writeFileSync(status, JSON.stringify(published))
  await rehearse('gate', ['wait', '--from', 'file'], { LOCKSTEP_STATUS: `file:${status}` })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function rehearse(
  name: 'program' | 'gate',
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const program = new Program(dist, name)
  const exit = await program.start().runCli({
    args,
    env: { LOCKSTEP_DIR: folder, LOCKSTEP_LOG_FORMAT: 'json', ...env },
    isTerminal: false,
    hostname: 'rehearsal',
    stop: new AbortController().signal,
    print: () => undefined,
    onCrash: () => undefined,
    exit: (code) => process.exit(code),
  })
  if (exit === 0) writeFileSync(join(dist, `${name}.cache`), program.cache())
  else {
    console.error(`the rehearsal of ${name} ended with ${exit}`)
    process.exitCode = exit
  }
}
