import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A whole process to be measured. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  /** What a right run says: a benchmark of a failure is worth nothing. */
  readonly says: string
}

interface Ran {
  readonly tookMs: number
  /** What was written to descriptor 3. */
  readonly told: string
}

/** A program that still runs then hangs. */
const withinMs = 900_000
const peakPreload = fileURLToPath(new URL('./peak.mjs', import.meta.url))

/**
 * Milliseconds from the start of a process until it is gone and its output is read. The output goes
 * to a pipe, as it does in a container.
 *
 * @throws {Error} with the output, when the program fails or does not say what it should
 */
export async function timeOf(program: Program, stop: AbortSignal): Promise<number> {
  return (await run(program, stop)).tookMs
}

/** Peak memory of a Node program in MB, of a run of its own: the preload would cost time. */
export async function peakMbOf(program: Program, stop: AbortSignal): Promise<number> {
  const args = ['--import', peakPreload, ...program.args]
  return Number((await run({ ...program, args }, stop)).told) / 1024
}

function run({ command, args, env, says }: Program, stop: AbortSignal): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const texts = { output: '', told: '' }
    const begunMs = performance.now()
    const child = spawn(command, args, {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      signal: stop,
      timeout: withinMs,
      killSignal: 'SIGKILL',
    })
    for (const [at, stream] of child.stdio.entries()) {
      stream?.on('data', (chunk: Buffer) => {
        texts[at === 3 ? 'told' : 'output'] += chunk.toString()
      })
    }
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const tookMs = performance.now() - begunMs
      if (code === 0 && texts.output.includes(says)) resolve({ tookMs, told: texts.told })
      else
        reject(new Error(`${command} ended with ${code ?? signal}:\n${texts.output.slice(-2_000)}`))
    })
  })
}
