import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { readConfig, readLogConfig, variableOfFlag, type Env } from './config.ts'
import { asFailure, Failure, failures } from './errors.ts'
import type { Event, Outcome, Tell } from './events.ts'
import { helpText } from './help.ts'
import { migrate } from './migrate.ts'
import { nearest } from './nearest.ts'
import { nextTurn, pause } from './pause.ts'
import { hasLostSession } from './postgres/lost.ts'
import { openLog } from './report/log.ts'
import { statusText } from './report/status-text.ts'
import { status } from './status.ts'
import type { StatusDocument } from './status-document.ts'
import { programVersion } from './version.ts'

/** What the process lends: `main.ts` alone touches it. */
export interface Shell {
  readonly args: readonly string[]
  readonly env: Env
  readonly isTerminal: boolean
  /** Aborted by a signal, whose name is the reason. */
  readonly stop: AbortSignal
  readonly print: (text: string) => void
  /** Called with what nobody caught. */
  readonly onCrash: (handle: (thrown: unknown) => void) => void
  readonly exit: (code: number) => void
}

const commands = ['migrate', 'status'] as const
type Command = (typeof commands)[number]

interface Request {
  readonly command: Command
  /** The environment, with the flags over it. */
  readonly env: Env
  readonly json: boolean
  readonly exitCode: boolean
}

/** Runs a command and returns the exit code. */
export async function runCli(shell: Shell): Promise<number> {
  const [word] = shell.args
  if (shell.args.includes('--help') || word === 'help') {
    shell.print(helpText())
    return 0
  }
  if (shell.args.includes('--version') || word === 'version') {
    shell.print(`${programVersion}\n`)
    return 0
  }

  const begunMs = performance.now()
  const run = {
    id: randomBytes(4).toString('hex'),
    pod: shell.env['POD_NAME'] || hostname(),
    get isAttended() {
      return shell.isTerminal
    },
  }
  const request = readRequest(shell)
  const isStatus = !(request instanceof Failure) && request.command === 'status'
  const env = request instanceof Failure ? shell.env : request.env
  const target = {
    fd: isStatus ? 2 : 1,
    get isTerminal() {
      return shell.isTerminal
    },
  } as const
  const { tell, writeTo } = heldBack()
  const end = (outcome: Outcome): number => {
    if (outcome.kind === 'failed') tell({ checkpoint: 'failed', failure: outcome.failure })
    if (outcome.kind === 'failed' || !isStatus) {
      tell({ checkpoint: 'done', outcome, durationMs: performance.now() - begunMs })
    }
    return outcome.kind === 'failed' ? outcome.failure.exit : 0
  }
  const work = async (): Promise<number> => {
    try {
      if (request instanceof Failure) throw request
      if (!isStatus)
        tell({ checkpoint: 'start', programVersion, run: run.id, command: request.command })
      const config = readConfig(env)
      const stop = stopWithFailure(shell.stop, config.deadlineMs)
      for (const text of config.warnings) tell({ checkpoint: 'warning', text })
      if (isStatus) {
        const document = await status(config, run, quiet(tell), stop)
        shell.print(statusAs(document, request, shell))
        return request.exitCode && document.state !== 'up-to-date' ? 2 : 0
      }
      return end(await migrate(config, run, tell, stop))
    } catch (error) {
      return end({ kind: 'failed', failure: asFailure(error) })
    }
  }
  const working = work()
  const opened = nextTurn().then(async () => {
    // The driver sends its first message 1 ms after it has the connection: let the server have it first.
    await pause(2)
    writeTo(await openLog(readLogConfig(env), run.id, target))
  })
  let isCrashing = false
  shell.onCrash((thrown) => {
    // What goes wrong while the end is told cannot be told.
    if (isCrashing) return shell.exit(failures.DEFECT.exit)
    isCrashing = true
    const outcome = { kind: 'failed', failure: crash(thrown) } as const
    void opened.then(() => shell.exit(end(outcome)))
  })
  const [exit] = await Promise.all([working, opened])
  return exit
}

/** Events wait, in their order, until there is a log. */
function heldBack(): { tell: Tell; writeTo: (log: Tell) => void } {
  const held: Event[] = []
  let write: Tell = (event) => held.push(event)
  return {
    tell: (event) => write(event),
    writeTo: (log) => {
      write = log
      for (const event of held) write(event)
    },
  }
}

/** What nobody caught. Behind a lost connection it comes of the loss; elsewhere it is a defect. */
function crash(thrown: unknown): Failure {
  const failure = asFailure(thrown)
  if (!hasLostSession()) return failure
  return new Failure('CONNECTION_LOST', `the connection is lost, and behind it ${failure.message}`)
}

/** Command and flags; every `LOCKSTEP_*` variable is also a flag, which wins. Values are not echoed. */
function readRequest({ args, env }: Shell): Request | Failure {
  // As in most pods: the parser need not be loaded.
  if (args.length === 0) return { command: 'migrate', env, json: false, exitCode: false }
  const options = Object.fromEntries(
    [...variableOfFlag.keys()].map((flag) => [flag, { type: 'string' as const }]),
  )
  const own = { json: { type: 'boolean' }, 'exit-code': { type: 'boolean' } } as const
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options: { ...options, ...own },
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const problems: string[] = []
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const known = [...variableOfFlag.keys(), ...Object.keys(own)]
    const { name } = token
    if (!known.includes(name)) {
      const near = nearest(name, known)
      problems.push(
        `${token.rawName} is not a flag${near === undefined ? '' : `; is --${near} meant?`}`,
      )
    } else if (variableOfFlag.has(name) && typeof token.value !== 'string') {
      problems.push(`--${name} needs a value`)
    } else if (!variableOfFlag.has(name) && token.value !== undefined) {
      problems.push(`--${name} takes no value`)
    }
  }
  const [word = 'migrate', ...rest] = positionals
  const command = commands.find((candidate) => candidate === word)
  if (command === undefined || rest.length > 0) {
    const near = nearest(word, commands)
    problems.push(
      `there is one command, of ${commands.join(', ')}${near === undefined || command ? '' : `; is ${near} meant?`}`,
    )
  } else if (
    command !== 'status' &&
    (values['json'] !== undefined || values['exit-code'] !== undefined)
  ) {
    problems.push('--json and --exit-code belong to status')
  }
  const [first, ...others] = problems
  if (first !== undefined || command === undefined) {
    return new Failure('CONFIG_INVALID', first ?? '', [
      ...others,
      'lockstep --help lists commands and flags',
    ])
  }
  const flags = Object.entries(values).flatMap(([flag, value]) => {
    const name = variableOfFlag.get(flag)
    return name !== undefined && typeof value === 'string' ? [[name, value] as const] : []
  })
  return {
    command,
    env: { ...env, ...Object.fromEntries(flags) },
    json: values['json'] === true,
    exitCode: values['exit-code'] === true,
  }
}

/** The core ends with the reason of its signal: a failure that says what happened. */
function stopWithFailure(signal: AbortSignal, deadlineMs: number | undefined): AbortSignal {
  const stop = new AbortController()
  const abort = (): void => {
    stop.abort(
      new Failure('INTERRUPTED', `stopped by ${String(signal.reason)}`, [
        'a file that was under way is applied whole or not at all; the ledger knows',
        'the next run goes on',
      ]),
    )
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  if (deadlineMs !== undefined) {
    const over = new Failure(
      'DEADLINE_OVER',
      `LOCKSTEP_DEADLINE is over after ${deadlineMs / 1000} s`,
    )
    setTimeout(() => stop.abort(over), deadlineMs).unref()
  }
  return stop.signal
}

function statusAs(document: StatusDocument, { json }: Request, { isTerminal }: Shell): string {
  return json ? `${JSON.stringify(document, null, 2)}\n` : statusText(document, isTerminal)
}

/** `status` prints one document: only what goes wrong is told beside it. */
function quiet(tell: Tell): Tell {
  return (event) => {
    if (event.checkpoint === 'waiting' || event.checkpoint === 'warning') tell(event)
  }
}
