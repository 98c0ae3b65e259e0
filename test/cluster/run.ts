import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findBuilder } from '../../image/builder.ts'
import { noNetwork } from '../support/namespace.ts'

/**
 * What `make test-cluster` does: the image, a cluster, the tests of this folder on it. Where that cannot
 * be, it says why and succeeds. docs/test-cluster.md has the variables.
 *
 *   node test/cluster/run.ts [GLOB]
 */
const root = join(import.meta.dirname, '..', '..')
const home = process.env['CLUSTER_HOME'] ?? join(tmpdir(), 'lockstep-cluster')
const bin = join(home, 'bin')
const script = join(import.meta.dirname, 'node', 'cluster.sh')
const env: Record<string, string | undefined> = { ...process.env, CLUSTER_HOME: home }
const given = process.env['TEST_KUBECONFIG']
const tests = [process.execPath, join(import.meta.dirname, 'tests.ts'), ...process.argv.slice(2)]

/** On two cores it takes 15. */
const longestBuildMinutes = 20

const begunMs = performance.now()
const problem = given === undefined ? noOwnCluster() : noBuilder()
if (problem !== undefined) console.log(`skipped: no test of the cluster runs here: ${problem}`)
else process.exitCode = await (given === undefined ? onOwnCluster() : onGivenCluster(given))

async function onOwnCluster(): Promise<number> {
  // The tests hear the same signal and end; what was started goes with them.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => undefined)
  const images = buildImages()
  // Its failure is met below, where the cluster is taken down.
  images.catch(() => undefined)
  const from = readyBinaries()
  if (from !== undefined) await must(script, 'unpack', from)
  else if ((await run('timeout', `${longestBuildMinutes}m`, script, 'build')) !== 0) {
    await images
    const why = `its binaries cannot be built within ${longestBuildMinutes} minutes, or not at all`
    console.log(`skipped: no test of the cluster runs here: ${why}`)
    return 0
  }
  await must(script, 'up')
  try {
    await images
    env['PATH'] = `${bin}${delimiter}${process.env['PATH']}`
    env['KUBECONFIG'] = join(home, 'run', 'admin.kubeconfig')
    env['TEST_CLUSTER_SCRIPT'] = script
    env['TEST_CLUSTER_MACHINE'] = '10.99.0.1'
    await load(`${script} import`)
    say('the cluster is up and has the images')
    return await run(script, 'exec', ...tests)
  } finally {
    await run(script, 'down')
    say('all of it is over')
  }
}

async function onGivenCluster(kubeconfig: string): Promise<number> {
  await buildImages()
  env['KUBECONFIG'] = kubeconfig
  env['TEST_CLUSTER_MACHINE'] ??= outerAddress()
  await load(process.env['TEST_CLUSTER_LOAD'] ?? 'kind load image-archive')
  const [node = '', ...args] = tests
  return await run(node, ...args)
}

/** Puts both images into the cluster, and tells the tests how that is done and what they are called. */
async function load(by: string): Promise<void> {
  env['TEST_CLUSTER_LOAD'] = by
  const [command = '', ...words] = by.split(' ')
  for (const [variable, name] of [
    ['TEST_CLUSTER_IMAGE', 'lockstep'],
    ['TEST_CLUSTER_EXAMPLE', 'lockstep-example'],
  ] as const) {
    const archive = join(home, `${name}.tar`)
    await must(command, ...words, archive)
    const { stdout } = spawnSync('tar', ['-xOf', archive, 'manifest.json'], { encoding: 'utf8' })
    const [{ RepoTags: [tag = ''] = [] } = {}]: { RepoTags?: string[] }[] = JSON.parse(stdout)
    env[variable] = tag
  }
}

/** Both images as archives, and their names for the tests. */
async function buildImages(): Promise<void> {
  mkdirSync(home, { recursive: true })
  await must(process.execPath, join(root, 'image', 'build.ts'), home)
  say('the images are built')
}

/** Why no own cluster can be made here. */
function noOwnCluster(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'it needs Linux and root, or a cluster that is there: TEST_KUBECONFIG'
  const programs = ['containerd', 'runc', 'ip', 'nsenter', 'iptables', 'conntrack', 'openssl', 'xz']
  const missing = programs.filter((name) => spawnSync('which', [name]).status !== 0)
  if (missing.length > 0)
    return `${missing.join(', ')} missing; cluster.sh deps installs all it needs`
  if (readyBinaries() === undefined && spawnSync('go', ['version']).status !== 0)
    return 'there are no ready binaries (TEST_CLUSTER_BIN), and no Go to build them'
  if (!isWritable('/sys/fs/cgroup')) return 'control groups cannot be made here'
  return noNetwork() || noBuilder()
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function noBuilder(): string | undefined {
  return findBuilder() === undefined ? 'docker, podman and buildah are missing' : undefined
}

/** The folder of ready binaries, if there is one. */
function readyBinaries(): string | undefined {
  const named = process.env['TEST_CLUSTER_BIN'] ?? join(root, '..', 'shared', 'cluster')
  return [named, join(named, 'bin')].find((folder) => existsSync(join(folder, 'SHA256SUMS')))
}

/** An address of this machine that a container on it may reach. */
function outerAddress(): string {
  const addresses = Object.values(networkInterfaces()).flat()
  return addresses.find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1'
}

async function must(command: string, ...args: string[]): Promise<void> {
  const exit = await run(command, ...args)
  if (exit !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${exit}`)
}

function run(command: string, ...args: string[]): Promise<number> {
  const child = spawn(command, args, { env, stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => resolve(code ?? 1))
  })
}

function say(text: string): void {
  console.log(`${((performance.now() - begunMs) / 1000).toFixed(0)} s: ${text}`)
}
