import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noCluster, until } from '../../support/kubectl.ts'
import { serviceAccount, container, deployment, images, job } from '../../support/manifests.ts'
import { endOf, freshSpace, type Space } from '../../support/space.ts'

const env = { LOCKSTEP_STATUS: 'configmap/status' }
const pods = 20

/** Seconds that each gate took, in whole seconds as the API has them. */
async function gateSeconds(space: Space): Promise<number[]> {
  await space.wait('deployment/backend', 'condition=Available', 120)
  return await until('all pods through the gate', async () => {
    const found = await space.pods('app=backend')
    const ends = found
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((one) => endOf(one, 'lockstep'))
      .filter((end) => end !== undefined)
    if (ends.length < pods) return undefined
    assert.ok(ends.every(({ exitCode }) => exitCode === 0))
    return ends.map((end) => (Date.parse(end.finishedAt) - Date.parse(end.startedAt)) / 1000)
  })
}

test(
  'check 9: 20 pods at once pass the gate in 5 s, and again when the Job is long gone',
  { skip: noCluster },
  async (t) => {
    await using space = await freshSpace()
    const gate = container({ image: images.example, args: ['wait'], secret: 'none', env })
    const migrates = container({ image: images.example, env })
    const parts = { containers: [migrates], account: 'runner' }
    await space.apply(
      ...serviceAccount('runner', ['get', 'create', 'patch']),
      ...serviceAccount('gate', ['get']),
      job('migrate', parts, { ttlSecondsAfterFinished: 1 }),
    )
    await space.wait('configmap/status', 'create')
    await space.wait('configmap/status', 'jsonpath={.data.state}=succeeded')
    await space.apply(deployment('backend', pods, gate))
    const first = await gateSeconds(space)
    await space.wait('job/migrate', 'delete')
    await space.kubectl('delete', 'pods', '-l', 'app=backend')
    const again = await gateSeconds(space)
    t.diagnostic(
      `check 9: gates took at most ${Math.max(...first)} s, and ${Math.max(...again)} s after the Job`,
    )
    assert.ok(Math.max(...first, ...again) < 5)
  },
)
