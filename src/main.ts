#!/usr/bin/env node

// Preset, so that an exit that nobody planned is told as what it is, a defect.
process.exitCode = 70

const stopping = new AbortController()
// Before anything slow is loaded: as PID 1 a process without a handler ignores SIGTERM.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(75)
    stopping.abort(signal)
  })
}

const env = { ...process.env }
// The driver reads some twenty PG* variables by itself; it is told all it needs.
for (const name of Object.keys(process.env).filter((key) => key.startsWith('PG')))
  delete process.env[name]

const { runCli } = await import('./cli.ts')
let printed: Promise<void> | undefined
const exitCode = await runCli({
  args: process.argv.slice(2),
  env,
  // These two are asked by few: their modules are loaded for them.
  get isTerminal() {
    return process.getBuiltinModule('node:tty').isatty(1)
  },
  get hostname() {
    return process.getBuiltinModule('node:os').hostname()
  },
  stop: stopping.signal,
  print: (text) => {
    printed = new Promise((resolve) => {
      process.stdout.write(text, (error) => {
        // An error is thrown by the stream itself, and ends the process.
        if (!error) resolve()
      })
    })
  },
  onCrash: (handle) => {
    process.on('uncaughtException', handle)
    process.on('unhandledRejection', handle)
  },
  exit: (code) => process.exit(code),
})
// A reader of a pipe may be slow.
await printed
// At once: what libraries may have left open does not keep the process, and nothing is taken down
// that the system takes down faster.
process.exit(exitCode)
