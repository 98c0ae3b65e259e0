import { existsSync } from 'node:fs'
import { request, type RequestOptions } from 'node:https'
import { delimiter, join } from 'node:path'
// Not the package's own entry, which loads every API of Kubernetes: docs/decisions/0010.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js'

/** What leads to a cluster. */
export interface ClusterAccess {
  /** `KUBECONFIG`: files, of which the first says which context it is. */
  readonly kubeconfig: string | undefined
  /** `KUBERNETES_SERVICE_HOST` is set: this is a pod. */
  readonly isInside: boolean
  readonly home: string | undefined
}

export interface Question {
  readonly method: 'GET' | 'PATCH'
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly retryAfter: string | undefined
}

/** An API server, and who we are there. */
export interface Cluster {
  readonly server: string
  /** Of the pod, or of the context. */
  readonly namespace: string | undefined
  /** Rejects where no whole answer comes. */
  ask(question: Question, stop: AbortSignal): Promise<Answer>
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Reads all anew: the token of a pod is replaced while it lives. What is wrong is told in words.
 *
 * @param root - before the paths of a pod
 */
export function openCluster(access: ClusterAccess, root = ''): Cluster | string {
  const config = new KubeConfig()
  const problem = load(config, access, root)
  if (problem !== undefined) return problem
  const cluster = config.getCurrentCluster()
  if (cluster === null) return 'the kubeconfig names no cluster: set its current-context'
  const { server } = cluster
  if (!server.startsWith('https:')) return 'the kubeconfig names a server without TLS'
  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim(),
    ask: async (question, stop) => {
      const options: RequestOptions = { headers: { ...question.headers } }
      await config.applyToHTTPSOptions(options).catch(() => {
        // What is wrong in detail may quote what a program of the kubeconfig has printed.
        throw Object.assign(new Error('no credentials'), { code: 'NO_CREDENTIALS' })
      })
      return await answerTo(new URL(question.path, server), question, { ...options, signal: stop })
    },
  }
}

function load(
  config: KubeConfig,
  { kubeconfig, isInside, home }: ClusterAccess,
  root: string,
): string | undefined {
  if (kubeconfig === undefined && isInside) {
    const folder = `${root}${serviceAccount}`
    if (!existsSync(join(folder, 'token')))
      return `no token is mounted (${folder}): automountServiceAccountToken is false`
    config.loadFromCluster(root)
    return undefined
  }
  const files =
    kubeconfig?.split(delimiter).filter((file) => file !== '') ??
    [join(home ?? '', '.kube', 'config')].filter((file) => existsSync(file))
  if (files.length === 0) return 'this is no pod, and there is no KUBECONFIG: which cluster is it?'
  try {
    for (const [index, file] of files.entries()) {
      if (index === 0) {
        config.loadFromFile(file)
        continue
      }
      const more = new KubeConfig()
      more.loadFromFile(file)
      config.mergeConfig(more, true)
    }
    return undefined
  } catch {
    // What is wrong in detail may quote a token.
    return `the kubeconfig ${files.join(delimiter)} cannot be read`
  }
}

function answerTo(url: URL, { method, body }: Question, options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { ...options, method }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode = 0, headers } = response
        resolve({ status: statusCode, body: text, retryAfter: headers['retry-after'] })
      })
    })
    asking.on('error', reject)
    asking.end(body)
  })
}
