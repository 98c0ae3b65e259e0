import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { freshDatabase, urlOf, type Database } from './database.ts'
import { kubectl, tryKubectl, until } from './kubectl.ts'
import { secret, serviceTo, type Manifest } from './manifests.ts'

/** As much of a pod as tests look at. */
export interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
  readonly status: {
    readonly phase: string
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

interface ContainerStatus {
  readonly name: string
  readonly restartCount: number
  readonly state: {
    readonly running?: { readonly startedAt: string }
    readonly waiting?: { readonly reason: string }
    readonly terminated?: {
      readonly exitCode: number
      readonly reason: string
      readonly message?: string
      readonly startedAt: string
      readonly finishedAt: string
    }
  }
}

/** A namespace of the level `restricted` with a database of its own, which its pods reach by name. */
export interface Space extends AsyncDisposable {
  readonly name: string
  readonly db: Database
  /** kubectl in this namespace; throws with what it said where it fails. */
  kubectl(...args: string[]): Promise<string>
  /** What kubectl says where it is refused. */
  refused(...args: string[]): Promise<string>
  apply(...manifests: Manifest[]): Promise<void>
  /** `kubectl wait --for=CONDITION OBJECT`, bounded. */
  wait(object: string, condition: string, seconds?: number): Promise<void>
  /** Waits until a pod has ended, well or not. */
  ended(object: string, seconds?: number): Promise<void>
  /** Pods by a selector: `job-name=migrate`, `app=backend`. */
  pods(selector: string): Promise<Pod[]>
  log(object: string, container?: string): Promise<string>
  /** Reads the log from now on to its end, also where the pod is deleted meanwhile. */
  follow(object: string): Promise<{ readonly ended: Promise<string> }>
  /** Asks the API to evict a pod, as the drain of a node does. */
  evict(pod: string): Promise<void>
  /** Waits until the log holds the text, and returns the log. */
  says(object: string, text: string, container?: string): Promise<string>
}

/** Where pods find this machine; the address of the node where the cluster is our own. */
const machine = process.env['TEST_CLUSTER_MACHINE'] ?? ''

export async function freshSpace(): Promise<Space> {
  const name = `lockstep-${randomBytes(3).toString('hex')}`
  const db = await freshDatabase()
  const here = (args: readonly string[]): string[] => ['--namespace', name, ...args]
  const space: Space = {
    name,
    db,
    kubectl: (...args) => kubectl(here(args)),
    refused: async (...args) => {
      const { exit, stdout, stderr } = await tryKubectl(here(args))
      if (exit === 0) throw new Error(`kubectl ${args.join(' ')} is not refused: ${stdout}`)
      return stderr
    },
    apply: async (...manifests) => {
      const list = { apiVersion: 'v1', kind: 'List', items: manifests }
      await kubectl(here(['apply', '-f', '-']), JSON.stringify(list))
    },
    wait: async (object, condition, seconds = 60) => {
      await kubectl(here(['wait', object, `--for=${condition}`, `--timeout=${seconds}s`]))
    },
    ended: async (object, seconds = 60) => {
      const path = 'jsonpath={.status.containerStatuses[0].state.terminated.reason}'
      await space.wait(object, path, seconds)
    },
    pods: async (selector) => {
      const text = await kubectl(here(['get', 'pods', '-l', selector, '-o', 'json']))
      const { items }: { items: Pod[] } = JSON.parse(text)
      return items
    },
    log: (object, of = 'lockstep') => kubectl(here(['logs', object, '-c', of])),
    follow: async (object) => {
      const child = spawn('kubectl', here(['logs', '-f', object, '-c', 'lockstep']))
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      const ended = once(child, 'close').then(() => text)
      await once(child.stdout, 'data', { signal: AbortSignal.timeout(30_000) })
      return { ended }
    },
    evict: async (pod) => {
      const metadata = { name: pod, namespace: name }
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata }
      const url = `/api/v1/namespaces/${name}/pods/${pod}/eviction`
      await kubectl(['create', '--raw', url, '-f', '-'], JSON.stringify(eviction))
    },
    says: (object, text, of = 'lockstep') =>
      until(`“${text}” in the log of ${object}`, async () => {
        // Before the container has started there is no log.
        const { stdout } = await tryKubectl(here(['logs', object, '-c', of]))
        return stdout.includes(text) ? stdout : undefined
      }),
    [Symbol.asyncDispose]: async () => {
      await kubectl(['delete', 'namespace', name, '--wait=false'])
      await db[Symbol.asyncDispose]()
    },
  }
  await kubectl(['create', 'namespace', name])
  const level = 'pod-security.kubernetes.io/enforce=restricted'
  await kubectl(['label', 'namespace', name, level])
  const port = Number(new URL(db.url).port)
  await space.apply(
    ...serviceTo('postgres', machine, port),
    secret('database', { DATABASE_URL: urlInPod(db.url) }),
  )
  return space
}

/** A connection string as pods of a space have it. */
export function urlInPod(url: string, host = 'postgres'): string {
  return urlOf(url, { host: `${host}:5432` })
}

/** As much of a status as tests look at. */
interface Status {
  readonly state: string
  readonly version: string
  readonly database: string
  readonly set: string
  readonly applied: Readonly<Record<string, string>>
}

/** What the status says: the document of the ConfigMap. */
export async function statusOf(space: Space, name = 'status'): Promise<Status> {
  const path = String.raw`jsonpath={.data.status\.json}`
  return JSON.parse(await space.kubectl('get', `configmap/${name}`, '-o', path))
}

/** The records of a log, one for each line. */
export function recordsOf(log: string): { checkpoint: string; message: string; exit?: number }[] {
  return log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** How a container of a pod ended. */
export function endOf(pod: Pod | undefined, name = 'lockstep') {
  const statuses = [
    ...(pod?.status.initContainerStatuses ?? []),
    ...(pod?.status.containerStatuses ?? []),
  ]
  return statuses.find((status) => status.name === name)?.state.terminated
}
