import type { ApiServer } from './api-server.ts'

/** What a test changes of a Deployment that is rolled out. */
interface Rollout {
  readonly name?: string
  /** The annotation of its pod template. */
  readonly set: string
  /** The annotations of its pods; without them both are of the Deployment's release. */
  readonly pods?: readonly (string | undefined)[]
}

/** Lets an API server show a Deployment of two pods, all of them new, observed and available. */
export function rollOut(
  { objects }: ApiServer,
  { name = 'crm', set, pods = [set, set] }: Rollout,
): void {
  objects.set(`/apis/apps/v1/namespaces/shop/deployments/${name}`, {
    metadata: { name, generation: 3 },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: { metadata: annotated(set) },
    },
    status: { observedGeneration: 3, updatedReplicas: 2, replicas: 2, availableReplicas: 2 },
  })
  objects.set('/api/v1/namespaces/shop/pods', {
    items: pods.map((of, index) => ({
      metadata: { name: `${name}-${index}`, ...annotated(of) },
      status: { phase: 'Running' },
    })),
  })
}

function annotated(set: string | undefined): object {
  return set === undefined ? {} : { annotations: { 'lockstep/set': set } }
}
