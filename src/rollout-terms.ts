import type { Phase } from './phases.ts'
import type { RolloutTerms } from './rollout.ts'

/** The three variables about a rollout, together. */
export function readRollout(
  deployments: string,
  set: string,
  waitMs: number,
  phase: Phase | 'none',
): { readonly rollout: RolloutTerms | undefined; readonly problems: readonly string[] } {
  const names = deployments.split(',').map((name) => name.trim())
  if (deployments === 'none') {
    const problems =
      set === 'none'
        ? []
        : ['LOCKSTEP_ROLLOUT_SET is set, and LOCKSTEP_ROLLOUT names no Deployment']
    return { rollout: undefined, problems }
  }
  const problems = [
    ...(names.every((name) => /^[a-z0-9][-.a-z0-9]*$/.test(name))
      ? []
      : ['LOCKSTEP_ROLLOUT is no list of Deployments such as crm,crm-worker']),
    ...(set === 'none' ? ['LOCKSTEP_ROLLOUT is set, and LOCKSTEP_ROLLOUT_SET is not'] : []),
    ...(phase === 'after-rollout'
      ? []
      : ['LOCKSTEP_ROLLOUT is set, and LOCKSTEP_PHASE is not after-rollout']),
  ]
  return { rollout: { deployments: names, set, waitMs }, problems }
}
