import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export interface HelmSaid {
  readonly exit: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Helm {
  /** Such as `v3.22.0`. */
  readonly version: string
  readonly path: string
}

/**
 * Each major version of Helm that is here: `helm3` and `helm4`, or packed as `.xz`, in the folder of
 * TEST_CLUSTER_BIN, in the one of ready binaries beside this repository, or where the test cluster has
 * its programs; else `helm` of the PATH.
 */
export function findHelms(): readonly Helm[] {
  const given = process.env['TEST_CLUSTER_BIN']
  const cluster = process.env['CLUSTER_HOME'] ?? join(tmpdir(), 'lockstep-cluster')
  const folders = [
    ...(given === undefined ? [] : [given]),
    join(root, '..', 'shared', 'cluster'),
    cluster,
  ].flatMap((folder) => [folder, join(folder, 'bin')])
  const ready = ['helm3', 'helm4'].map((name) => find(name, folders))
  const paths = ready.some((path) => path !== undefined)
    ? ready
    : [find('helm', (process.env['PATH'] ?? '').split(delimiter))]
  return paths
    .filter((path) => path !== undefined)
    .map((path) => ({ path, version: versionOf(path) }))
}

export const noHelm =
  'no Helm: TEST_CLUSTER_BIN names no folder with helm3 or helm4, and none is on the PATH'

function find(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const path = join(folder, name)
    if (existsSync(path)) return path
    if (existsSync(`${path}.xz`)) return unpack(`${path}.xz`, name)
  }
  return undefined
}

/** Once for a machine; two processes that do it at the same time put the same file there. */
function unpack(packed: string, name: string): string {
  const folder = join(tmpdir(), 'lockstep-helm')
  const path = join(folder, name)
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  const part = `${path}.${process.pid}`
  const out = openSync(part, 'w')
  const { status } = spawnSync('xz', ['-dc', packed], { stdio: ['ignore', out, 'inherit'] })
  closeSync(out)
  if (status !== 0) throw new Error(`${packed} cannot be unpacked`)
  chmodSync(part, 0o755)
  renameSync(part, path)
  return path
}

function versionOf(path: string): string {
  const said = spawnSync(path, ['version', '--template', '{{.Version}}'], { encoding: 'utf8' })
  if (said.status !== 0) throw new Error(`${path} does not start: ${said.stderr}`)
  return said.stdout.trim()
}

/**
 * With a home of its own: no repository and no plugin of the person who runs the tests.
 *
 * @param env - further variables, such as KUBECONFIG
 */
export function helm(
  { path }: Helm,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<HelmSaid> {
  const home = join(tmpdir(), 'lockstep-helm', 'home')
  const homes = { HOME: home, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home }
  const options = {
    cwd: root,
    env: { PATH: process.env['PATH'], ...homes, ...env },
    maxBuffer: 64 * 2 ** 20,
    timeout: 180_000,
  }
  return new Promise((resolve) => {
    execFile(path, args, options, (error, stdout, stderr) => {
      const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      resolve({ exit, stdout, stderr })
    })
  })
}
