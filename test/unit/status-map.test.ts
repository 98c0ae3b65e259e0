import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCluster, type Cluster } from '../../src/kubernetes/client.ts'
import { StatusMap } from '../../src/kubernetes/status-map.ts'
import { publishedOf } from '../../src/published.ts'
import { StatusTrouble } from '../../src/status-store.ts'
import { startApiServer, type ApiServer, type Mischief } from '../support/api-server.ts'
import { rowOf } from '../support/decision.ts'

const published = publishedOf(
  {
    state: 'failed',
    database: '0123456789abcdef',
    run: '7f9b0173',
    set: '0'.repeat(64),
    program: '1.2.3',
    started: '2026-11-23T02:14:07.412Z',
    error: 'SQL_FAILED',
    exit: 1,
    reason: '0002_b.sql:1:1 Relation „leed“ fehlt \u0085\u2028\uFEFF 🙂',
  },
  [rowOf(1, '0001_a.sql', 'a')],
)

function mapAt(api: Pick<ApiServer, 'kubeconfig'>, namespace?: string): StatusMap {
  const target = { kind: 'configmap', namespace, name: 'crm' } as const
  const access = { kubeconfig: api.kubeconfig, isInside: false, home: undefined }
  return new StatusMap(target, access)
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

test('golden: the ConfigMap is applied by force, under a name of its own, with one key for programs', async () => {
  await using api = await startApiServer()
  const map = mapAt(api)
  await map.write(published, soon())
  assert.equal(map.name, 'configmap/crm in shop')
  const [asked] = api.asked
  assert.equal(asked?.method, 'PATCH')
  assert.equal(
    asked.path,
    '/api/v1/namespaces/shop/configmaps/crm?fieldManager=lockstep&force=true',
  )
  assert.equal(asked.contentType, 'application/apply-patch+yaml')
  assert.equal(asked.token, 'Bearer t0ken-of-kubeconfig')
  // Characters that YAML does not allow raw.
  assert.doesNotMatch(asked.body, /[\u007F-\u009F\u2028\u2029\uFEFF]/)
  const { data, ...object } = JSON.parse(asked.body)
  assert.deepEqual(object, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'crm',
      labels: {
        'app.kubernetes.io/name': 'lockstep',
        'app.kubernetes.io/component': 'schema-status',
        'app.kubernetes.io/managed-by': 'lockstep',
      },
    },
  })
  const { 'status.json': text, ...others } = data
  assert.deepEqual(others, {
    state: 'failed',
    version: '0001',
    run: '7f9b0173',
    error: 'SQL_FAILED',
    reason: published.reason,
  })
  assert.equal(await map.read(soon()), text)
})

test('what is not there is nothing; what was emptied by hand is no document', async () => {
  await using api = await startApiServer()
  const map = mapAt(api, 'other')
  assert.equal(await map.read(soon()), undefined)
  assert.equal(map.name, 'configmap/crm in other')
  api.maps.set('other/crm', { state: 'succeeded' })
  assert.equal(await map.read(soon()), '')
})

async function troubleOf(action: Promise<unknown>): Promise<StatusTrouble> {
  const error = await action.catch((thrown: unknown) => thrown)
  assert.ok(error instanceof StatusTrouble, String(error))
  return error
}

const denied = (verb: string): Mischief => ({
  status: 403,
  message: `configmaps "crm" is forbidden: User "system:serviceaccount:shop:runner" cannot ${verb} resource "configmaps" in API group "" in the namespace "shop"`,
})

// A case: what the server does, what is said of it, and whether trying again is of no use.
for (const [what, mischief, says, isLasting] of [
  ['does not know the token', { status: 401 }, /does not accept the token \(401\)$/, false],
  ['is at odds', { status: 409 }, /answers 409 for configmap\/crm in shop$/, false],
  ['is overloaded', { status: 429 }, /answers 429/, false],
  ['is out of order', { status: 500 }, /answers 500/, false],
  ['lacks the namespace', { status: 404 }, /there is no namespace shop \(404\)$/, true],
  ['finds it too large', { status: 413, message: 'too large' }, /too large \(413\)$/, true],
  [
    'hangs up',
    'cut',
    /^the API server https:\/\/127\.0\.0\.1:\d+ cannot be reached: .* cut$/,
    false,
  ],
  ['is silent', 'silent', /has not answered in time$/, false],
] as const) {
  test(`a server that ${what} is told as such`, async () => {
    await using api = await startApiServer()
    api.mischief = () => mischief
    const trouble = await troubleOf(mapAt(api).write(published, AbortSignal.timeout(1_000)))
    assert.match(trouble.message, says)
    assert.equal(trouble.isLasting, isLasting)
  })
}

for (const verb of ['get', 'create', 'patch'] as const) {
  test(`a Role without ${verb} is named, with the rule that it needs`, async () => {
    await using api = await startApiServer()
    api.mischief = () => denied(verb)
    const map = mapAt(api)
    const trouble = await troubleOf(
      verb === 'get' ? map.read(soon()) : map.write(published, soon()),
    )
    assert.equal(
      trouble.message,
      `system:serviceaccount:shop:runner may not ${verb} configmap/crm in shop (403)`,
    )
    assert.match(trouble.more.join(), /resourceNames \["crm"\], verbs \["get", "create", "patch"\]/)
    assert.ok(trouble.isLasting)
  })
}

test('a server may say how long to wait', async () => {
  await using api = await startApiServer()
  api.mischief = () => ({ status: 429, retryAfter: '3' })
  assert.equal((await troubleOf(mapAt(api).read(soon()))).pauseMs, 3_000)
})

test('a server that is not there, or not the one that is known, is told as such', async () => {
  const api = await startApiServer()
  const gone = mapAt(api)
  await using other = await startApiServer()
  const config = Buffer.from(other.ca).toString('base64')
  await api[Symbol.asyncDispose]()
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-kubeconfig-'))
  try {
    assert.match((await troubleOf(gone.read(soon()))).message, /cannot be read$/)
    const kubeconfig = join(folder, 'config')
    const write = (port: number, ca: string): void =>
      writeFileSync(
        kubeconfig,
        `clusters: [{name: a, cluster: {server: 'https://127.0.0.1:${port}', certificate-authority-data: ${ca}}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {}}]
current-context: a`,
      )
    write(api.port, config)
    assert.match(
      (await troubleOf(mapAt({ kubeconfig }).read(soon()))).message,
      /connection refused$/,
    )
    await using stranger = await startApiServer()
    write(stranger.port, config)
    assert.match(
      (await troubleOf(mapAt({ kubeconfig }).read(soon()))).message,
      /cannot be reached: its certificate is not trusted \([A-Z_]+\)$/,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

// A case: what of a kubeconfig leads to no log-in.
for (const [what, cluster, user] of [
  ['an authority', 'certificate-authority: /nowhere/ca.crt', '{}'],
  [
    'a program that is not there',
    '',
    '{exec: {apiVersion: client.authentication.k8s.io/v1, command: /nowhere/login}}',
  ],
  [
    'a program that fails',
    '',
    `{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo s3cret >&2; exit 1']}}`,
  ],
] as const) {
  test(`${what} of a kubeconfig is told, without what it says`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-kubeconfig-'))
    try {
      const kubeconfig = join(folder, 'config')
      writeFileSync(
        kubeconfig,
        `clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1', ${cluster}}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: ${user}}]
current-context: a`,
      )
      const { message } = await troubleOf(mapAt({ kubeconfig }).read(soon()))
      assert.match(message, /a certificate or a program that the kubeconfig names is missing, or/)
      assert.doesNotMatch(message, /s3cret/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

/** The files of a pod's account. */
function podOf(token: string, ca: string) {
  const root = mkdtempSync(join(tmpdir(), 'lockstep-pod-'))
  const folder = join(root, 'var/run/secrets/kubernetes.io/serviceaccount')
  mkdirSync(folder, { recursive: true })
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  write('token', token)
  write('ca.crt', ca)
  write('namespace', 'shop\n')
  return {
    root,
    write,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

test('in a pod its own token is used, as it is at that moment', async () => {
  await using api = await startApiServer()
  using pod = podOf('first', api.ca)
  const env = process.env
  process.env = {
    ...env,
    KUBERNETES_SERVICE_HOST: api.host,
    KUBERNETES_SERVICE_PORT: `${api.port}`,
  }
  try {
    const access = { kubeconfig: undefined, isInside: true, home: undefined }
    for (const token of ['first', 'second']) {
      pod.write('token', token)
      const cluster = openCluster(access, pod.root)
      if (typeof cluster === 'string') throw new Error(cluster)
      assert.equal(cluster.namespace, 'shop')
      await cluster.ask({ method: 'GET', path: '/x' }, soon())
      assert.equal(api.asked.at(-1)?.token, `Bearer ${token}`)
    }
  } finally {
    process.env = env
  }
})

function problemOf(cluster: Cluster | string): string {
  return typeof cluster === 'string' ? cluster : `it leads to ${cluster.server}`
}

// A case: what leads to no cluster, and what is said then.
for (const [what, access, says] of [
  [
    'a pod without a token',
    { isInside: true },
    /no token is mounted .*automountServiceAccountToken/,
  ],
  ['no pod and no kubeconfig', {}, /this is no pod, and there is no KUBECONFIG/],
  [
    'a kubeconfig that is not there',
    { kubeconfig: '/nowhere/config' },
    /\/nowhere\/config cannot be read$/,
  ],
] as const) {
  test(`${what} leads to no cluster`, () => {
    const nothing = { kubeconfig: undefined, isInside: false, home: undefined }
    const cluster = openCluster({ ...nothing, ...access }, '/nowhere')
    assert.match(problemOf(cluster), says)
  })
}

test('a kubeconfig wins over the account of the pod; of several files the first names the context', () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-home-'))
  try {
    mkdirSync(join(home, '.kube'))
    const write = (name: string, text: string): string => {
      writeFileSync(join(home, '.kube', name), text)
      return join(home, '.kube', name)
    }
    const whole = (name: string): string =>
      write(
        name,
        `clusters: [{name: ${name}, cluster: {server: 'https://${name}'}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}}}]
users: [{name: ${name}, user: {}}]
current-context: ${name}`,
      )
    const [one, two] = [whole('one'), whole('two')]
    const lead = write('lead', 'clusters: []\nusers: []\ncontexts: []\ncurrent-context: two')
    whole('config')
    const leadsTo = (kubeconfig: string | undefined, isInside = false): string =>
      problemOf(openCluster({ kubeconfig, isInside, home }, '/nowhere'))
    assert.equal(leadsTo(one, true), 'it leads to https://one')
    assert.equal(leadsTo(`${one}:${two}`), 'it leads to https://one')
    assert.equal(leadsTo(`:${lead}:${two}:${one}`), 'it leads to https://two')
    assert.equal(leadsTo(undefined), 'it leads to https://config')
  } finally {
    rmSync(home, { recursive: true })
  }
})

// A case: a kubeconfig that is wrong, and what is said; never what it holds.
for (const [what, text, says] of [
  ['garbage', 'token: "s3cret', /cannot be read$/],
  ['empty', '', /cannot be read$/],
  ['without a context', 'clusters: []\nusers: []\ncontexts: []', /names no cluster/],
  [
    'without TLS',
    `clusters: [{name: a, cluster: {server: 'http://h'}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {token: s3cret}}]
current-context: a`,
    /a server without TLS$/,
  ],
] as const) {
  test(`a kubeconfig that is ${what} is told as such`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-kubeconfig-'))
    try {
      const kubeconfig = join(folder, 'config')
      writeFileSync(kubeconfig, text)
      const cluster = openCluster({ kubeconfig, isInside: false, home: undefined })
      assert.match(problemOf(cluster), says)
      assert.doesNotMatch(problemOf(cluster), /s3cret/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}
