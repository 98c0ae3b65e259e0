import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noCluster } from '../../support/kubectl.ts'
import { serviceAccount, container, deployment, images, job } from '../../support/manifests.ts'
import { endOf, freshSpace, type Space } from '../../support/space.ts'

const env = { LOCKSTEP_STATUS: 'configmap/status' }
const pods = 20

/** The longest that a gate took, and a bare Node beside it; in whole seconds, as the API has them. */
async function longest(space: Space): Promise<{ gate: number; bare: number }> {
  await space.wait('deployment/backend', 'condition=Available', 120)
  const found = await space.pods('app=backend')
  const all = found.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  assert.equal(all.length, pods)
  const [gate = 0, bare = 0] = ['lockstep', 'bare'].map((name) => {
    const ends = all.map((one) => endOf(one, name)).filter((end) => end !== undefined)
    assert.deepEqual(
      ends.map(({ exitCode }) => exitCode),
      all.map(() => 0),
    )
    return Math.max(...ends.map((end) => Date.parse(end.finishedAt) - Date.parse(end.startedAt)))
  })
  return { gate: gate / 1000, bare: bare / 1000 }
}

describe('a crowd', { skip: noCluster }, () => {
  test('check 9: 20 pods at once pass the gate in 5 s, and again when the Job is long gone', async (t) => {
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
    // On a machine that is busy with other things everything takes longer, a bare Node as well.
    const bare = container({ name: 'bare', command: ['/nodejs/bin/node', '-e', ''] })
    await space.apply(deployment('backend', pods, [bare, gate]))
    const first = await longest(space)
    await space.wait('job/migrate', 'delete')
    await space.kubectl('delete', 'pods', '-l', 'app=backend')
    const again = await longest(space)
    for (const { gate: seconds, bare: beside } of [first, again]) {
      t.diagnostic(`check 9: a gate took at most ${seconds} s, a bare Node beside it ${beside} s`)
      assert.ok(seconds < 5 * Math.max(1, beside))
    }
  })
})
