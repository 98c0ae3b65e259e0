import assert from 'node:assert/strict'
import { test } from 'node:test'
import { intruderIn, standOf, type DeploymentSeen, type Stand } from '../../src/rollout.ts'

const complete: DeploymentSeen = {
  set: 'new',
  isObserved: true,
  wanted: 2,
  updated: 2,
  total: 2,
  available: 2,
  pods: [
    { name: 'crm-a', set: 'new' },
    { name: 'crm-b', set: 'new' },
  ],
}
const old = { name: 'crm-old', set: 'before' }
const nobody = new Set<string>()
const crm = new Set(['crm'])

function crmWith(change: Partial<DeploymentSeen>): ReadonlyMap<string, DeploymentSeen> {
  return new Map([['crm', { ...complete, ...change }]])
}

function standing(change: Partial<DeploymentSeen>): Stand {
  return standOf(crmWith(change), 'new', nobody)
}

test('a rollout is complete when all pods are of this release, and serve', () => {
  assert.deepEqual(standing({}), { kind: 'complete' })
  assert.deepEqual(standing({ wanted: 0, updated: 0, total: 0, available: 0, pods: [] }), {
    kind: 'complete',
  })
})

// A case: what is seen, and what is missing.
for (const [what, change, missing] of [
  [
    'an old pod',
    { total: 3, pods: [...complete.pods, old] },
    'pod/crm-old of deployment/crm is still old',
  ],
  [
    'an old pod that is about to end, which the Deployment does not count any more',
    { pods: [...complete.pods, old] },
    'pod/crm-old of deployment/crm is still old',
  ],
  [
    'a pod without the annotation',
    { pods: [...complete.pods, { name: 'crm-x', set: undefined }] },
    'pod/crm-x of deployment/crm is still old',
  ],
  ['a change that is not observed', { isObserved: false }, 'deployment/crm has just been changed'],
  [
    'too few new pods',
    { updated: 1, available: 2 },
    'deployment/crm: of 2 pods 1 are new, 2 available',
  ],
  [
    'a pod that does not serve',
    { available: 1 },
    'deployment/crm: of 2 pods 2 are new, 1 available',
  ],
  ['an older pod that is counted and not listed', { total: 3 }, 'deployment/crm has 1 older pod'],
  [
    'a Deployment that is still of the release before',
    { set: 'before' },
    'deployment/crm is of release before, this one is new',
  ],
  [
    'a Deployment without the annotation',
    { set: undefined },
    'deployment/crm is without the annotation lockstep/set, this one is new',
  ],
] as const) {
  test(`a rollout is under way: ${what}`, () => {
    assert.deepEqual(standing(change), { kind: 'under-way', missing: [missing] })
  })
}

test('a Deployment that does not exist yet is waited for', () => {
  const missing = ['there is no deployment/crm']
  assert.deepEqual(standOf(new Map([['crm', undefined]]), 'new', nobody), {
    kind: 'under-way',
    missing,
  })
})

test('a Deployment that was of this release, and is not any more, is replaced', () => {
  assert.deepEqual(standOf(crmWith({ set: 'before' }), 'new', crm), {
    kind: 'replaced',
    by: 'deployment/crm is of release before, this one is new',
  })
  assert.deepEqual(standOf(new Map([['crm', undefined]]), 'new', crm), {
    kind: 'replaced',
    by: 'there is no deployment/crm',
  })
  assert.equal(standOf(crmWith({}), 'new', crm).kind, 'complete')
})

test('of several Deployments all must be complete', () => {
  const seen = new Map([
    ['crm', complete],
    ['worker', { ...complete, available: 1 }],
  ])
  assert.deepEqual(standOf(seen, 'new', crm), {
    kind: 'under-way',
    missing: ['deployment/worker: of 2 pods 2 are new, 1 available'],
  })
})

test('before a file, whatever is of another release stops it, and a pod that is just replaced does not', () => {
  assert.equal(intruderIn(crmWith({}), 'new'), undefined)
  assert.equal(intruderIn(crmWith({ available: 1, updated: 1 }), 'new'), undefined)
  assert.equal(
    intruderIn(crmWith({ set: 'before' }), 'new'),
    'deployment/crm is of release before, this one is new',
  )
  assert.equal(
    intruderIn(crmWith({ pods: [...complete.pods, old] }), 'new'),
    'pod/crm-old of deployment/crm is of release before',
  )
  assert.equal(intruderIn(new Map([['crm', undefined]]), 'new'), 'there is no deployment/crm')
})
