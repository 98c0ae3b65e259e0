import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'

/** Why the tests of the cluster do not run, or false: `make test-cluster` runs them. */
export const noCluster =
  process.env['TEST_CLUSTER_IMAGE'] === undefined ? 'make test-cluster has a cluster' : false

export interface Said {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs kubectl as a user would, and returns how it ended. */
export function tryKubectl(args: readonly string[], input = '', withinMs = 120_000): Promise<Said> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 64 * 2 ** 20, timeout: withinMs }
    const child = execFile('kubectl', args, options, (error, stdout, stderr) => {
      const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ exit, stdout, stderr: exit === -1 ? `${stderr}${error?.message}` : stderr })
    })
    child.stdin?.end(input)
  })
}

/** @throws {Error} with what kubectl said, where it fails */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { exit, stdout, stderr } = await tryKubectl(args, input)
  if (exit !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

/**
 * Looks until there is an answer.
 *
 * @throws {Error} where there is none in time
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs = 60_000,
): Promise<T> {
  const endMs = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > endMs) throw new Error(`within ${withinMs} ms there was no ${what}`)
    await pause(200)
  }
}
