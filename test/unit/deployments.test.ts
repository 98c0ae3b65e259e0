import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookAtDeployments } from '../../src/kubernetes/deployments.ts'
import type { Seen } from '../../src/rollout.ts'
import { StatusTrouble } from '../../src/status-store.ts'
import { startApiServer, type ApiServer } from '../support/api-server.ts'
import { rollOut } from '../support/rolled-out.ts'

const deployment = '/apis/apps/v1/namespaces/shop/deployments/crm'
const pods = '/api/v1/namespaces/shop/pods'

function look({ kubeconfig }: ApiServer, ...names: readonly string[]): Promise<Seen> {
  const access = { kubeconfig, isInside: false, home: undefined }
  return lookAtDeployments(access, names, AbortSignal.timeout(10_000))
}

test('what is looked at of a Deployment, and of its pods', async () => {
  await using api = await startApiServer()
  rollOut(api, { set: 'new', pods: ['new', undefined] })
  assert.deepEqual(
    await look(api, 'crm', 'worker'),
    new Map([
      [
        'crm',
        {
          set: 'new',
          isObserved: true,
          wanted: 2,
          updated: 2,
          total: 2,
          available: 2,
          pods: [
            { name: 'crm-0', set: 'new' },
            { name: 'crm-1', set: undefined },
          ],
        },
      ],
      ['worker', undefined],
    ]),
  )
})

test('what a Deployment does not say is as Kubernetes has it; its newest form may be unseen', async () => {
  await using api = await startApiServer()
  const metadata = { name: 'crm', generation: 1 }
  const spec = { selector: { matchLabels: { app: 'crm' } }, template: {} }
  api.objects.set(deployment, { metadata, spec })
  api.objects.set(pods, { items: [] })
  assert.deepEqual((await look(api, 'crm')).get('crm'), {
    set: undefined,
    isObserved: false,
    wanted: 1,
    updated: 0,
    total: 0,
    available: 0,
    pods: [],
  })
})

test('pods that have ended do not count, those that are about to end do', async () => {
  await using api = await startApiServer()
  rollOut(api, { set: 'new' })
  api.objects.set(pods, {
    items: [
      podIn('done', 'Succeeded'),
      podIn('evicted', 'Failed'),
      podIn('begins', 'Pending'),
      podIn('ends', 'Running', '2026-11-23T02:14:07Z'),
    ],
  })
  const seen = (await look(api, 'crm')).get('crm')
  assert.deepEqual(
    seen?.pods.map(({ name }) => name),
    ['begins', 'ends'],
  )
})

test('its pods are found by the whole of its selector', async () => {
  await using api = await startApiServer()
  const selector = {
    matchLabels: { app: 'crm', tier: 'web' },
    matchExpressions: [
      { key: 'track', operator: 'In', values: ['stable', 'canary'] },
      { key: 'zone', operator: 'NotIn', values: ['old'] },
      { key: 'owner', operator: 'Exists' },
      { key: 'debug', operator: 'DoesNotExist' },
    ],
  }
  api.objects.set(deployment, { metadata: {}, spec: { selector, template: {} } })
  api.objects.set(pods, { items: [] })
  await look(api, 'crm')
  const query = api.asked.at(-1)?.path.split('labelSelector=')[1] ?? ''
  assert.equal(
    decodeURIComponent(query),
    'app=crm,tier=web,track in (stable,canary),zone notin (old),owner,!debug',
  )
})

test('an answer that is none is a trouble that may pass, a refusal one that lasts', async () => {
  await using api = await startApiServer()
  for (const [mischief, isLasting] of [
    [{ status: 403 }, true],
    [{ status: 401 }, false],
    [{ status: 429 }, false],
    [{ status: 500 }, false],
    ['no JSON', false],
    ['cut', false],
  ] as const) {
    api.mischief = () => mischief
    await assert.rejects(look(api, 'crm'), (error) => {
      assert.ok(error instanceof StatusTrouble)
      assert.equal(error.isLasting, isLasting, error.message)
      return true
    })
  }
})

function podIn(name: string, phase: string, deletionTimestamp?: string): object {
  return { metadata: { name, deletionTimestamp }, status: { phase } }
}
