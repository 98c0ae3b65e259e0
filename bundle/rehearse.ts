import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Program } from './program.ts'
import { startScriptedServer } from './server.ts'

/**
 * Runs the program once, where it finds nothing to do, and writes `program.cache`: V8 puts only those
 * functions into a cache that have run, and that is the run which is to be quick.
 *
 *   node bundle/rehearse.ts DIST
 */
const dist = process.argv[2] ?? 'dist'

const folder = mkdtempSync(join(tmpdir(), 'lockstep-rehearsal-'))
try {
  const files = ['0001_first.sql', '0002_second.sql'].map((name) => ({
    name,
    text: `-- ${name}\ncreate table t${name.slice(0, 4)} ();\n`,
  }))
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
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

  const program = new Program(dist)
  const exit = await program.start().runCli({
    args: [],
    env: { DATABASE_URL: server.url, LOCKSTEP_DIR: folder, LOCKSTEP_LOG_FORMAT: 'json' },
    isTerminal: false,
    stop: new AbortController().signal,
    print: () => undefined,
    onCrash: () => undefined,
    exit: (code) => process.exit(code),
  })
  if (exit === 0) writeFileSync(join(dist, 'program.cache'), program.cache())
  else console.error(`the rehearsal ended with ${exit}`)
  process.exitCode = exit
} finally {
  rmSync(folder, { recursive: true, force: true })
}
