import { setAnnotation, type DeploymentSeen, type PodSeen, type Seen } from '../rollout.ts'
import { StatusTrouble } from '../status-store.ts'
import type { Cluster, ClusterAccess } from './client.ts'
import { ask, reach } from './reach.ts'

export type { ClusterAccess } from './client.ts'

/**
 * What there is of Deployments in the namespace of this pod, and of their pods.
 *
 * @throws {StatusTrouble} where the API server refuses that, or does not answer
 */
export async function lookAtDeployments(
  access: ClusterAccess,
  names: readonly string[],
  stop: AbortSignal,
): Promise<Seen> {
  const cluster = await reach(access)
  const seen = new Map<string, DeploymentSeen | undefined>()
  for (const name of names) seen.set(name, await lookAt(cluster, name, stop))
  return seen
}

async function lookAt(
  cluster: Cluster,
  name: string,
  stop: AbortSignal,
): Promise<DeploymentSeen | undefined> {
  const space = `namespaces/${cluster.namespace ?? 'default'}`
  const path = `/apis/apps/v1/${space}/deployments/${name}`
  const deployment = await get<DeploymentObject>(cluster, path, getRule(name), stop)
  if (deployment === undefined) return undefined
  const { metadata, spec, status = {} } = deployment
  const selector = encodeURIComponent(selectorText(spec.selector))
  const list = `/api/v1/${space}/pods?labelSelector=${selector}`
  const pods = await get<{ items: readonly PodObject[] }>(cluster, list, listRule, stop)
  return {
    set: spec.template.metadata?.annotations?.[setAnnotation],
    isObserved: (status.observedGeneration ?? 0) >= (metadata.generation ?? 0),
    wanted: spec.replicas ?? 1,
    updated: status.updatedReplicas ?? 0,
    total: status.replicas ?? 0,
    available: status.availableReplicas ?? 0,
    pods: (pods?.items ?? []).filter(isAlive).map(podSeen),
  }
}

function isAlive({ status }: PodObject): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
}

function podSeen({ metadata }: PodObject): PodSeen {
  return { name: metadata.name ?? '', set: metadata.annotations?.[setAnnotation] }
}

/** As `kubectl get -l` takes it. */
function selectorText({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`)
  const others = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key
    if (operator === 'DoesNotExist') return `!${key}`
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`
  })
  return [...labels, ...others].join(',')
}

const getRule = (name: string): string =>
  `apiGroups ["apps"], resources ["deployments"], resourceNames ["${name}"], verbs ["get"]`
const listRule = 'apiGroups [""], resources ["pods"], verbs ["list"]'

/** Undefined where there is no such object. */
async function get<T>(
  cluster: Cluster,
  path: string,
  rule: string,
  stop: AbortSignal,
): Promise<T | undefined> {
  const { status, body } = await ask(cluster, { method: 'GET', path }, stop)
  if (status === 404) return undefined
  if (status === 403) {
    const more = [`its Role needs the rule ${rule}`]
    const text = 'the account of this pod may not look at the rollout (403)'
    throw new StatusTrouble(text, { isLasting: true, more })
  }
  if (status !== 200) throw new StatusTrouble(`the API server answers ${status}`)
  try {
    return JSON.parse(body)
  } catch {
    throw new StatusTrouble('the API server gives no JSON')
  }
}

// Of the objects of Kubernetes, what is looked at.

interface Metadata {
  readonly name?: string
  readonly generation?: number
  readonly annotations?: Readonly<Record<string, string>>
}

interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values?: readonly string[]
  }[]
}

interface DeploymentObject {
  readonly metadata: Metadata
  readonly spec: {
    readonly replicas?: number
    readonly selector: Selector
    readonly template: { readonly metadata?: Metadata }
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly updatedReplicas?: number
    readonly replicas?: number
    readonly availableReplicas?: number
  }
}

interface PodObject {
  readonly metadata: Metadata
  readonly status?: { readonly phase?: string }
}
