import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { exampleNames } from '../support/example.ts'
import { noCluster } from '../support/kubectl.ts'
import { configMap, container, images, job, secret, serviceTo } from '../support/manifests.ts'
import { startReachable } from '../support/reachable.ts'
import { endOf, freshSpace, recordsOf, urlInPod, type Space } from '../support/space.ts'

const condition = (type: string): string => `condition=${type}`
const reason = '{.status.conditions[?(@.type=="Failed")].reason}'

/** One pod, and none after it. */
async function assertFailedAtOnce(space: Space, exitCode: number): Promise<void> {
  assert.equal(
    await space.kubectl('get', 'job/migrate', '-o', `jsonpath=${reason}`),
    'PodFailurePolicy',
  )
  const pods = await space.pods('job-name=migrate')
  assert.deepEqual(
    pods.map((one) => endOf(one)?.exitCode),
    [exitCode],
  )
}

describe('a Job', { skip: noCluster, concurrency: 3 }, () => {
  test('logs: kubectl logs job/... shows each checkpoint and ends with the summary', async () => {
    await using space = await freshSpace()
    await space.apply(job('migrate', { containers: [container({ image: images.example })] }))
    await space.wait('job/migrate', condition('Complete'))
    const records = recordsOf(await space.log('job/migrate'))
    const checkpoints = new Set(records.map(({ checkpoint }) => checkpoint))
    for (const name of ['start', 'files', 'database', 'lock', 'plan', 'applied', 'verified'])
      assert.ok(checkpoints.has(name), name)
    assert.match(records.at(-1)?.message ?? '', /^done \d+ files .* in .* s, exit 0$/)
    const [ledger] = await space.db.sql<{ count: string }>(`select count(*) from lockstep.ledger`)
    assert.equal(ledger?.count, `${exampleNames.length}`)
  })

  test('check 3: a broken file: one pod, Failed with PodFailurePolicy in 20 s', async () => {
    await using space = await freshSpace()
    const sql = { '0001_a.sql': 'create table a ();', '0002_b.sql': 'select\n  * from nowhere;' }
    const mounts = { '/sql': 'sql' }
    await space.apply(
      configMap('sql', sql),
      job('migrate', { containers: [container({ mounts })] }),
    )
    await space.wait('job/migrate', condition('Failed'))
    const times = '{.status.startTime} {.status.conditions[?(@.type=="Failed")].lastTransitionTime}'
    const said = await space.kubectl('get', 'job/migrate', '-o', `jsonpath=${times}`)
    const [begun = 0, over = 0] = said.split(' ').map((time) => Date.parse(time))
    assert.ok(over - begun < 20_000)
    await assertFailedAtOnce(space, 1)
    assert.match(await space.log('job/migrate'), /failed 0002_b\.sql:2:10 relation \\"nowhere\\"/)
  })

  test('check 4: the database is down at start: 75, again, and then it succeeds', async () => {
    await using space = await freshSpace()
    await using server = await startReachable()
    await server.stop()
    const address = process.env['TEST_CLUSTER_MACHINE'] ?? ''
    await space.apply(
      ...serviceTo('late', address, server.port),
      secret('database', { DATABASE_URL: urlInPod(server.url, 'late') }),
      job('migrate', {
        containers: [container({ image: images.example, env: { LOCKSTEP_CONNECT_WAIT: '1s' } })],
      }),
    )
    // A pod has failed, and the Job pauses before the next.
    await space.wait('job/migrate', 'jsonpath={.status.failed}=1')
    await server.start()
    await space.wait('job/migrate', condition('Complete'))
    const exits = (await space.pods('job-name=migrate')).map((one) => `${endOf(one)?.exitCode}`)
    assert.deepEqual(exits.toSorted(), ['0', '75'])
  })

  test('exit codes: 64 ends the Job at once', async () => {
    await using space = await freshSpace()
    const env = { LOCKSTEP_RUNNER_WAIT: 'soon' }
    await space.apply(job('migrate', { containers: [container({ image: images.example, env })] }))
    await space.wait('job/migrate', condition('Failed'))
    await assertFailedAtOnce(space, 64)
  })
})
