import { count } from './phrases.ts'

/** What the files of the phase after-rollout wait for. */
export interface RolloutTerms {
  /** Names of Deployments in the namespace of this pod. */
  readonly deployments: readonly string[]
  /** Whose pods these are to be: what their annotation says. */
  readonly set: string
  readonly waitMs: number
}

/** On pods and pod templates: which release they are of, as the chart says it. */
export const setAnnotation = 'lockstep/set'

/** A pod that has not ended. */
export interface PodSeen {
  readonly name: string
  /** Its annotation. */
  readonly set: string | undefined
}

/** What the cluster says of a Deployment. */
export interface DeploymentSeen {
  /** The annotation of its pod template. */
  readonly set: string | undefined
  /** The controller has seen its newest form; the numbers are of that one. */
  readonly isObserved: boolean
  readonly wanted: number
  readonly updated: number
  readonly total: number
  readonly available: number
  /** All that its selector finds, also those that are about to end. */
  readonly pods: readonly PodSeen[]
}

/** By name; undefined where there is no such Deployment. */
export type Seen = ReadonlyMap<string, DeploymentSeen | undefined>

/** How far a rollout is. */
export type Stand =
  /** Each pod is of this release, and all of them serve. */
  | { readonly kind: 'complete' }
  /** A line for each thing that is missing. */
  | { readonly kind: 'under-way'; readonly missing: readonly string[] }
  /** A Deployment that was of this release is of another one now. */
  | { readonly kind: 'replaced'; readonly by: string }

/**
 * What may be said of a rollout by what is seen of it. One that has not begun is under way: who applies
 * the Deployment may come after the Job.
 *
 * @param set - of this release
 * @param ours - Deployments that have been seen as of this release
 */
export function standOf(seen: Seen, set: string, ours: ReadonlySet<string>): Stand {
  const others = [...seen].filter(([, deployment]) => deployment?.set !== set)
  const lost = others.find(([name]) => ours.has(name))
  if (lost !== undefined) return { kind: 'replaced', by: other(...lost, set) }
  const missing = [...seen].flatMap(([name, deployment]) =>
    deployment?.set === set
      ? missingOf(`deployment/${name}`, deployment, set)
      : [other(name, deployment, set)],
  )
  return missing.length === 0 ? { kind: 'complete' } : { kind: 'under-way', missing }
}

/**
 * Whether a rollout that was complete is still of this release: that a pod of it is just being
 * replaced does not matter.
 *
 * @returns what is of another release
 */
export function intruderIn(seen: Seen, set: string): string | undefined {
  for (const [name, deployment] of seen) {
    if (deployment?.set !== set) return other(name, deployment, set)
    const pod = deployment.pods.find((one) => one.set !== set)
    if (pod !== undefined) return `pod/${pod.name} of deployment/${name} is ${release(pod.set)}`
  }
  return undefined
}

function other(name: string, seen: DeploymentSeen | undefined, set: string): string {
  if (seen === undefined) return `there is no deployment/${name}`
  return `deployment/${name} is ${release(seen.set)}, this one is ${set}`
}

function release(set: string | undefined): string {
  return set === undefined ? `without the annotation ${setAnnotation}` : `of release ${set}`
}

function missingOf(name: string, seen: DeploymentSeen, set: string): readonly string[] {
  const { isObserved, wanted, updated, total, available, pods } = seen
  const old = pods
    .filter((pod) => pod.set !== set)
    .map((pod) => `pod/${pod.name} of ${name} is still old`)
  if (!isObserved) return [...old, `${name} has just been changed`]
  if (updated < wanted || available < wanted) {
    return [
      ...old,
      `${name}: of ${count(wanted, 'pod')} ${updated} are new, ${available} available`,
    ]
  }
  if (total > updated && old.length === 0)
    return [`${name} has ${count(total - updated, 'older pod')}`]
  return old
}
