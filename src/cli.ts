import { randomBytes } from 'node:crypto'
import { adopt } from './adopt.ts'
import { readConfig, readLogConfig, type Env } from './config.ts'
import { check, exitOf } from './check.ts'
import { checkBaseline } from './check-baseline.ts'
import { failures } from './errors.ts'
import { asFailure, Failure } from './failure.ts'
import type { Event, Outcome, Tell } from './events.ts'
import { coverLines } from './files/covers.ts'
import { readFolder } from './files/folder.ts'
import { readGateConfig } from './gate-config.ts'
import { adoptHelp, helpText } from './help.ts'
import { migrate } from './migrate.ts'
import { nextTurn, pause } from './pause.ts'
import { plan, type PlanDocument } from './plan.ts'
import { hasLostSession } from './postgres/lost.ts'
import { checkText } from './report/check-text.ts'
import { openLog } from './report/log.ts'
import { planMarkdown } from './report/plan-markdown.ts'
import { planText } from './report/plan-text.ts'
import { leaveTermination, terminationLog, terminationText } from './report/termination.ts'
import { statusText } from './report/status-text.ts'
import type { Run } from './postgres/runs.ts'
import { readRequest, type Checks, type PlanFormat, type Waits } from './request.ts'
import { status } from './status.ts'
import type { StatusDocument } from './status-document.ts'
import { programVersion } from './version.ts'
import { wait } from './wait.ts'

/** What the process lends: `main.ts` alone touches it. */
export interface Shell {
  readonly args: readonly string[]
  readonly env: Env
  readonly isTerminal: boolean
  readonly hostname: string
  /** Aborted by a signal, whose name is the reason. */
  readonly stop: AbortSignal
  readonly print: (text: string) => void
  /** Called with what nobody caught. */
  readonly onCrash: (handle: (thrown: unknown) => void) => void
  readonly exit: (code: number) => void
}

/** Runs a command and returns the exit code. */
export async function runCli(shell: Shell): Promise<number> {
  const [word] = shell.args
  if (shell.args.includes('--help') || word === 'help') {
    shell.print(word === 'adopt' ? adoptHelp : helpText())
    return 0
  }
  const isGate = shell.args.includes('wait')
  if ((shell.args.includes('--version') && !isGate) || word === 'version') {
    shell.print(`${programVersion}\n`)
    return 0
  }

  const begunMs = performance.now()
  const run = {
    id: randomBytes(4).toString('hex'),
    get pod() {
      return shell.env['POD_NAME'] || shell.hostname
    },
    get isAttended() {
      return shell.isTerminal
    },
  }
  const request = readRequest(shell.args, shell.env)
  const isDocument = !(request instanceof Failure) && documents.has(request.command)
  const env = request instanceof Failure ? shell.env : request.env
  const target = {
    fd: isDocument ? 2 : 1,
    get isTerminal() {
      return shell.isTerminal
    },
  } as const
  const { tell, writeTo } = heldBack()
  const end = (outcome: Outcome): number => {
    const durationMs = performance.now() - begunMs
    if (outcome.kind === 'failed') tell({ checkpoint: 'failed', failure: outcome.failure })
    if (outcome.kind === 'failed' || !isDocument) tell({ checkpoint: 'done', outcome, durationMs })
    if (shell.env['KUBERNETES_SERVICE_HOST'] !== undefined)
      leaveTermination(terminationLog, terminationText(outcome, durationMs))
    return outcome.kind === 'failed' ? outcome.failure.exit : 0
  }
  const work = async (): Promise<number> => {
    try {
      if (request instanceof Failure) throw request
      if (!isDocument)
        tell({ checkpoint: 'start', programVersion, run: run.id, command: request.command })
      if (request.command === 'check' && request.checks !== 'baseline')
        return await checked(request, shell)
      if (request.command === 'wait') return end(await waited(request, run, tell, shell))
      const config = readConfig(env)
      const stop = stopWithFailure(shell.stop, config.deadlineMs)
      for (const text of config.warnings) tell({ checkpoint: 'warning', text })
      switch (request.command) {
        case 'migrate':
          return end(await migrate(config, run, tell, stop))
        case 'adopt':
          return end(await adopt(config, request.adopts, request.isSure, run, tell, stop))
        case 'check': {
          const document = await checkBaseline(config, run, tell, stop)
          shell.print(checkText(document, request.format))
          return exitOf(document)
        }
        case 'status': {
          const document = await status(config, run, quiet(tell), stop)
          shell.print(statusAs(document, request, shell))
          return request.exitCode && document.state !== 'up-to-date' ? 2 : 0
        }
        case 'plan': {
          const document = await plan(config, run, quiet(tell), stop, request.rehearses)
          shell.print(planAs(document, request.format))
          const code = whyNot(document)?.code
          if (code !== undefined) return failures[code].exit
          return request.exitCode && document.work.length > 0 ? 2 : 0
        }
      }
    } catch (error) {
      return end({ kind: 'failed', failure: asFailure(error) })
    }
  }
  const working = work()
  const opened = nextTurn().then(async () => {
    // The driver sends its first message 1 ms after it has the connection: let the server have it first.
    if (!isGate) await pause(2)
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

/** Of a folder, without a database: what a run would refuse, or what `baseline.sql` is to begin with. */
async function checked(
  request: { readonly env: Env } & Exclude<Checks, { readonly checks: 'baseline' }>,
  { print }: Shell,
): Promise<number> {
  const { dir, maxFileBytes } = readConfig(request.env, false)
  if (request.checks === 'covers') {
    print(`${coverLines(await readFolder(dir, maxFileBytes)).join('\n')}\n`)
    return 0
  }
  const document = await check(dir, maxFileBytes)
  print(checkText(document, request.format))
  return exitOf(document)
}

async function waited(
  { env, from, version }: Waits & { readonly env: Env },
  run: Run,
  tell: Tell,
  { stop }: Shell,
): Promise<Outcome> {
  const config = readGateConfig(env, from)
  for (const text of config.warnings) tell({ checkpoint: 'warning', text })
  return await wait(config, version, run, tell, stopWithFailure(stop, config.deadlineMs))
}

/** Commands that print one document, and nothing else to stdout. */
const documents: ReadonlySet<string> = new Set(['status', 'plan', 'check'])

/** Why it would be refused, or what came of rehearsing it. */
function whyNot({ failure, rehearsal }: PlanDocument): PlanDocument['failure'] {
  return failure ?? rehearsal?.files.find((file) => file.failure !== undefined)?.failure
}

function planAs(document: PlanDocument, format: PlanFormat): string {
  if (format === 'json') return asJson(document)
  return format === 'text' ? planText(document) : planMarkdown(document)
}

function statusAs(
  document: StatusDocument,
  { json }: { readonly json: boolean },
  { isTerminal }: Shell,
): string {
  return json ? asJson(document) : statusText(document, isTerminal)
}

function asJson(document: StatusDocument | PlanDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Beside a document: only what goes wrong, or takes long, is told beside it. */
function quiet(tell: Tell): Tell {
  return (event) => {
    if (toldBeside.has(event.checkpoint)) tell(event)
  }
}

const toldBeside: ReadonlySet<string> = new Set(['waiting', 'warning', 'running', 'blocked'])
