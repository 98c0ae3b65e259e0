import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authority } from './certificates.ts'

/** What came, as far as a test looks at it. */
interface Asked {
  readonly method: string
  readonly path: string
  readonly token: string | undefined
  readonly contentType: string | undefined
  readonly body: string
}

/** What a server does with one question in place of answering it. */
export type Mischief =
  | { readonly status: number; readonly message?: string; readonly retryAfter?: string }
  | 'cut'
  | 'silent'
  | 'no JSON'

/** As much of an API server as keeps ConfigMaps and shows objects, for what a real one cannot be made to do. */
export interface ApiServer extends AsyncDisposable {
  /** A file for `KUBECONFIG`; its context is of the namespace `shop`. */
  readonly kubeconfig: string
  readonly host: string
  readonly port: number
  /** Of the authority that it is known by. */
  readonly ca: string
  readonly asked: readonly Asked[]
  /** By `NAMESPACE/NAME`. */
  readonly maps: Map<string, Readonly<Record<string, string>>>
  /** Whatever else can be read, by its path without the query. */
  readonly objects: Map<string, object>
  /** Asked at each question, in whose place it may do something else. */
  mischief: (asked: Asked) => Mischief | undefined
}

export async function startApiServer(): Promise<ApiServer> {
  const authority = await Authority.create('cluster')
  const certificate = await authority.sign({ name: 'api', ips: ['127.0.0.1'], dns: ['localhost'] })
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-cluster-'))
  const asked: Asked[] = []
  const maps: ApiServer['maps'] = new Map()
  const objects: ApiServer['objects'] = new Map()
  const server = createServer(certificate, (request, response) => {
    void bodyOf(request).then((body) => {
      const { method = '', url = '', headers } = request
      const question = {
        method,
        path: url,
        token: headers.authorization,
        contentType: headers['content-type'],
        body,
      }
      asked.push(question)
      const instead = api.mischief(question)
      if (instead === 'silent') return
      if (instead === 'cut') response.socket?.destroy()
      else if (instead === 'no JSON') response.end('<html>')
      else if (instead !== undefined) refuse(response, instead)
      else serve(response, question, api)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const { port } = address
  const kubeconfig = join(folder, 'config')
  writeFileSync(kubeconfig, kubeconfigOf(port, authority.cert))
  const api: ApiServer = {
    kubeconfig,
    host: '127.0.0.1',
    port,
    ca: authority.cert,
    asked,
    maps,
    objects,
    mischief: () => undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return api
}

function serve(
  response: ServerResponse,
  { method, path, body }: Asked,
  { maps, objects }: Pick<ApiServer, 'maps' | 'objects'>,
): void {
  const object = objects.get(path.split('?')[0] ?? '')
  if (object !== undefined) {
    answer(response, 200, object)
    return
  }
  const [, key = ''] = /^\/api\/v1\/namespaces\/([^?]+)/.exec(path) ?? []
  const name = key.replace('/configmaps', '')
  const found = maps.get(name)
  if (method === 'PATCH') {
    const { data }: { data: Readonly<Record<string, string>> } = JSON.parse(body)
    maps.set(name, data)
    answer(response, found === undefined ? 201 : 200, { data })
  } else if (found === undefined) {
    refuse(response, { status: 404, message: `${name} not found` })
  } else {
    answer(response, 200, { kind: 'ConfigMap', data: found })
  }
}

function refuse(
  response: ServerResponse,
  { status, message, retryAfter }: Exclude<Mischief, string>,
) {
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
  answer(response, status, { kind: 'Status', status: 'Failure', message, code: status })
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

/** Of a user with a token, which no output may hold. */
function kubeconfigOf(port: number, ca: string): string {
  return `apiVersion: v1
kind: Config
current-context: here
clusters:
- name: here
  cluster:
    server: https://127.0.0.1:${port}
    certificate-authority-data: ${Buffer.from(ca).toString('base64')}
users:
- name: runner
  user:
    token: t0ken-of-kubeconfig
contexts:
- name: here
  context: { cluster: here, user: runner, namespace: shop }
`
}
