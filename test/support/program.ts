import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { canary, superuserPassword } from './secrets.ts'

const root = join(import.meta.dirname, '..', '..')

/** The two forms of the program: what is developed, and what is shipped. */
const programs = {
  source: join(root, 'src', 'main.ts'),
  bundle: join(root, 'dist', 'lockstep.mjs'),
} as const
export type ProgramForm = keyof typeof programs

/** From source a start takes 0.2 s, more than half of it to take the types off: a cache spares it. */
const compiled = { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }

const secrets = [canary, encodeURIComponent(canary), superuserPassword]

export interface Ran {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
  /** Both, as a person would see them. */
  readonly output: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ran: Promise<Ran>
  /** Resolves when the output holds the text, so many times. */
  readonly says: (text: string, times?: number) => Promise<void>
}

export interface Asked {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly form?: ProgramForm
  /** What starts the program: `unshare`, `ip netns exec`, with its arguments. */
  readonly command?: readonly string[]
  /** The bound: a program that still runs then is killed, and the test fails. */
  readonly withinMs?: number
}

/** Runs the program with an environment of its own and waits for its end. No output may hold a password. */
export function runProgram(asked: Asked): Promise<Ran> {
  return startProgram(asked).ran
}

export function startProgram({
  args = [],
  env = {},
  cwd = root,
  form = 'source',
  command = [],
  withinMs = 30_000,
}: Asked): Running {
  const [executable = '', ...rest] = [...command, process.execPath, programs[form], ...args]
  const child = spawn(executable, rest, {
    cwd,
    env: {
      PATH: process.env['PATH'],
      LOCKSTEP_CONNECT_WAIT: '0s',
      ...(form === 'source' ? compiled : {}),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const read = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      read[name] += chunk
      for (const look of waiting) look()
    })
  }
  const ran = new Promise<Ran>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`still running after ${withinMs} ms:\n${read.stdout}${read.stderr}`))
    }, withinMs)
    child.once('error', reject)
    child.once('close', (exit) => {
      clearTimeout(timer)
      for (const look of waiting) look()
      const output = read.stdout + read.stderr
      if (secrets.some((secret) => output.includes(secret)))
        reject(new Error(`a password is in the output:\n${output}`))
      else resolve({ exit, ...read, output })
    })
  })
  const says = (text: string, times = 1): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const has = (read.stdout + read.stderr).split(text).length > times
        if (!has && child.exitCode === null) return
        waiting.delete(look)
        if (has) resolve()
        else reject(new Error(`it ended without saying “${text}”:\n${read.stdout}${read.stderr}`))
      }
      waiting.add(look)
      look()
      ran.catch(reject)
    })
  return { child, ran, says }
}
