/** What tests put into a cluster, as the API takes it. */
export type Manifest = Readonly<Record<string, unknown>>

/** The image of `make image` without SQL, and the one with the worked example. */
export const images = {
  plain: process.env['TEST_CLUSTER_IMAGE'] ?? '',
  example: process.env['TEST_CLUSTER_EXAMPLE'] ?? '',
}

/** What namespaces of the level `restricted` ask for. */
const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}

interface Asked {
  readonly name?: string
  readonly image?: string
  /** What is run in place of the image's entry point. */
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Volumes by the path where they are mounted. */
  readonly mounts?: Readonly<Record<string, string>>
  readonly memory?: string
  /** Its values are the environment; the address of the database is in `database`. */
  readonly secret?: string
  /** An initContainer that keeps running: a native sidecar. */
  readonly isSidecar?: boolean
}

/** A container of the image, which reaches the database of the Secret `database`. */
export function container({
  name = 'lockstep',
  image = images.plain,
  command,
  args,
  env = {},
  mounts = {},
  memory = '256Mi',
  secret: from = 'database',
  isSidecar,
}: Asked): Manifest {
  return {
    name,
    image,
    imagePullPolicy: 'Never',
    command,
    args,
    env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
    envFrom: [{ secretRef: { name: from, optional: true } }],
    securityContext: restricted,
    resources: { limits: { memory }, requests: { cpu: '1m' } },
    volumeMounts: Object.entries(mounts).map(([mountPath, volume]) => ({
      name: volume,
      mountPath,
      readOnly: volume !== 'scratch',
    })),
    restartPolicy: isSidecar ? 'Always' : undefined,
  }
}

/** The volumes that tests use: files from the ConfigMap `sql`, the status, an empty folder. */
const volumes: readonly Manifest[] = [
  { name: 'sql', configMap: { name: 'sql', optional: true } },
  { name: 'status', configMap: { name: 'status', optional: true } },
  { name: 'scratch', emptyDir: {} },
]

interface PodParts {
  readonly containers: readonly Manifest[]
  readonly initContainers?: readonly Manifest[]
  readonly account?: string
  readonly volumes?: readonly Manifest[]
}

function podSpec({ containers, initContainers, account, volumes: more = [] }: PodParts): Manifest {
  return {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 30,
    serviceAccountName: account,
    automountServiceAccountToken: account !== undefined,
    enableServiceLinks: false,
    containers,
    initContainers,
    volumes: [...volumes, ...more],
  }
}

export function pod(name: string, parts: PodParts): Manifest {
  const metadata = { name, labels: { app: name } }
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(parts) }
}

/**
 * A Job that fails at once where the exit code says that a retry will not help, and that does not
 * count an eviction as a failure.
 */
export function job(
  name: string,
  parts: PodParts,
  more: { readonly backoffLimit?: number; readonly ttlSecondsAfterFinished?: number } = {},
): Manifest {
  const exits = { containerName: 'lockstep', operator: 'In', values: [1, 64, 70] }
  const rules = [
    { action: 'FailJob', onExitCodes: exits },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  ]
  const spec = {
    backoffLimit: 3,
    activeDeadlineSeconds: 240,
    podReplacementPolicy: 'Failed',
    podFailurePolicy: { rules },
    template: { spec: podSpec(parts) },
    ...more,
  }
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec }
}

/** Pods that wait at a gate and then do nothing, as a backend does. */
export function deployment(
  name: string,
  replicas: number,
  initContainers: readonly Manifest[],
): Manifest {
  const labels = { app: name }
  const idle = `process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1e6)`
  const app = container({ name: 'app', command: ['/nodejs/bin/node', '-e', idle] })
  const parts = { containers: [app], initContainers, account: 'gate' }
  const spec = { ...podSpec(parts), restartPolicy: 'Always' }
  const template = { metadata: { labels }, spec }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, selector: { matchLabels: labels }, template },
  }
}

/** A ServiceAccount that may do no more than this with the one ConfigMap. */
export function serviceAccount(
  name: string,
  verbs: readonly string[],
  status = 'status',
): readonly Manifest[] {
  const apiGroup = 'rbac.authorization.k8s.io'
  const apiVersion = `${apiGroup}/v1`
  const metadata = { name }
  const rule = { apiGroups: [''], resources: ['configmaps'], resourceNames: [status], verbs }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion, kind: 'Role', metadata, rules: [rule] },
    {
      apiVersion,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name }],
    },
  ]
}

export function configMap(name: string, data: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

export function secret(name: string, data: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data }
}

/** A name in the cluster for a port of the machine on which the tests run. */
export function serviceTo(name: string, address: string, port: number): Manifest[] {
  const labels = { 'kubernetes.io/service-name': name }
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ports: [{ name: 'postgres', port: 5432, targetPort: port }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels },
      addressType: 'IPv4',
      ports: [{ name: 'postgres', port }],
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    },
  ]
}
