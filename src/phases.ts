import type { Migration } from './files/folder.ts'
import { compareNames } from './files/name.ts'
import { count } from './phrases.ts'
import { listed, refused, type Refused } from './refusals.ts'

export const phases = ['before-rollout', 'after-rollout', 'all'] as const
export type Phase = (typeof phases)[number]

/** What a phase applies of the pending files, and what it leaves to another. */
export interface Share {
  readonly now: readonly Migration[]
  readonly later: readonly Migration[]
  readonly refusal: Refused | undefined
  readonly notes: readonly string[]
}

/**
 * Files that say `after-rollout` wait until no pod of the image before needs what they take away. A
 * database on which no run has succeeded yet has no such pods, and takes everything in order.
 *
 * @param pending - in order
 */
export function shareOf(
  pending: readonly Migration[],
  phase: Phase | undefined,
  hasSucceeded: boolean,
  mayPass: boolean,
): Share {
  const after = pending.filter(isAfterRollout)
  const [first] = after
  const whole = { now: pending, later: [], refusal: undefined, notes: [] }
  if (!hasSucceeded || phase === 'all') return whole
  if (phase === 'after-rollout') return afterRollout(pending)
  if (first === undefined) return whole
  if (phase === undefined) {
    const names = listed(after.map(({ file }) => file))
    return {
      ...whole,
      refusal: refused('PHASE_UNSET', [
        `${names} ${after.length === 1 ? 'waits' : 'wait'} for the phase after the rollout, and this run is not told which phase it is`,
      ]),
    }
  }
  const now = pending.filter((file) => !isAfterRollout(file))
  const behind = mayPass ? [] : now.filter((file) => compareNames(first, file) < 0)
  return {
    now,
    later: after,
    refusal:
      behind.length === 0
        ? undefined
        : refused(
            'FILE_BEHIND_HELD',
            behind.map(
              (file) => `${file.file} is behind ${first.file}, which waits for after-rollout`,
            ),
            waysPast,
          ),
    notes: [waiting(after, 'after-rollout')],
  }
}

const waysPast = [
  'finish the phase after-rollout with the image that is rolled out,',
  'or, where the two do not depend on each other: LOCKSTEP_OUT_OF_ORDER=allow,',
  'or, where no older pods run: LOCKSTEP_PHASE=all',
]

function afterRollout(pending: readonly Migration[]): Share {
  const until = pending.findIndex((file) => !isAfterRollout(file))
  const [now, later] =
    until === -1 ? [pending, []] : [pending.slice(0, until), pending.slice(until)]
  const [normal, ...others] = later
  const blocked = others.find(isAfterRollout)
  const isStuck = normal !== undefined && now.length === 0 && blocked !== undefined
  return {
    now,
    later,
    refusal: isStuck
      ? refused('FILE_BEFORE_ROLLOUT', [
          `${blocked.file} waits behind ${normal.file}, which belongs before the rollout and is pending`,
        ])
      : undefined,
    notes: later.length === 0 ? [] : [waiting(later, 'before-rollout')],
  }
}

function waiting(files: readonly Migration[], phase: Phase): string {
  const verb = files.length === 1 ? 'waits' : 'wait'
  return `${count(files.length, 'file')} ${verb} for the phase ${phase}: ${listed(files.map(({ file }) => file))}`
}

export function isAfterRollout({ directives }: Migration): boolean {
  return directives.afterRollout
}
