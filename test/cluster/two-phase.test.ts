import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lockKey } from '../../src/postgres/lock.ts'
import { findHelms, type HelmSaid } from '../support/helm.ts'
import { noCluster, until } from '../support/kubectl.ts'
import { configMap } from '../support/manifests.ts'
import {
  helmIn,
  ofFiles,
  statusOf,
  stayingPods,
  wholeLog,
  type HelmHere,
} from '../support/release.ts'
import { endOf, freshSpace, urlInPod, type Space } from '../support/space.ts'

const first = { '0001_users.sql': 'create table users (id int, old int);' }
const second = {
  ...first,
  '0002_drop.sql': '-- lockstep: after-rollout\nalter table users drop column old;',
}
const behind = 'after-rollout'

function ofTwoPhases(files: string, ...more: string[]): string[] {
  const on = ['lockstep.afterRollout.enabled=true', 'lockstep.afterRollout.deployments={crm}']
  return ofFiles(files, ...on, ...more)
}

/** The release before, rolled out. */
async function begin(space: Space, helm: HelmHere): Promise<void> {
  await space.apply(configMap('one', first), configMap('two', second))
  const said = await helm.must('install', 'crm', helm.charts.crm, '--wait', ...ofTwoPhases('one'))
  assert.match(said.stderr, /nothing to do/)
}

function upgrade(helm: HelmHere, ...more: string[]): Promise<HelmSaid> {
  return helm.run('upgrade', 'crm', helm.charts.crm, ...ofTwoPhases('two', ...more))
}

async function appliedIn(space: Space): Promise<string[]> {
  const rows = await space.db.sql<{ name: string }>('select name from lockstep.ledger order by id')
  return rows.map(({ name }) => name)
}

for (const by of findHelms()) {
  describe(`two phases, Helm ${by.version}`, { skip: noCluster, concurrency: 2 }, () => {
    test('files behind the rollout wait until no older pod is left, also without --wait', async (t) => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      await begin(space, helm)
      const [before] = await stayingPods(space)
      // Long enough for the Job to find the rollout under way.
      const slowly = { spec: { minReadySeconds: 10 } }
      await space.kubectl('patch', 'deployment/crm', '-p', JSON.stringify(slowly))
      const said = await upgrade(helm)
      t.diagnostic(said.stdout + said.stderr)
      assert.equal(said.exit, 0, said.stderr)
      assert.match(await wholeLog(space), /1 file waits for the phase after-rollout/)
      const log = await wholeLog(space, behind)
      assert.match(log, /waiting for the rollout: /)
      assert.match(log, /applied 0002_drop\.sql/)
      assert.equal(await statusOf(space), 'succeeded 0002')
      const pods = await space.pods('app.kubernetes.io/component=backend')
      assert.ok(pods.every(({ metadata }) => metadata.name !== before?.metadata.name))
    })

    test('an address in the values: its Secret is there for both Jobs, and gone behind them', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      await space.apply(configMap('one', first), configMap('two', second))
      await space.kubectl('delete', 'secret/database')
      const url = [
        'lockstep.database.existingSecret=',
        `lockstep.database.url=${urlInPod(space.db.url)}`,
      ]
      const { crm } = helm.charts
      await helm.must('install', 'crm', crm, '--wait', ...ofTwoPhases('one', ...url))
      await helm.must('upgrade', 'crm', crm, '--wait', ...ofTwoPhases('two', ...url))
      assert.deepEqual(await appliedIn(space), Object.keys(second))
      const secrets = await space.kubectl('get', 'secrets', '-o', 'name')
      assert.doesNotMatch(secrets, /crm-lockstep/)
    })

    test('a rollout that does not end: 75, and the pod that is still old by name', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      await begin(space, helm)
      const [before] = await stayingPods(space)
      const said = await upgrade(
        helm,
        'image.repository=nowhere.example.com/crm',
        'lockstep.afterRollout.wait=5s',
        'lockstep.job.backoffLimit=0',
      )
      assert.equal(said.exit, 1)
      const still = `pod/${before?.metadata.name} of deployment/crm is still old`
      assert.ok(said.stderr.includes(still), said.stderr)
      const pods = await space.pods(`app.kubernetes.io/component=${behind}`)
      assert.deepEqual(
        pods.map((pod) => endOf(pod)?.exitCode),
        [75],
      )
      assert.deepEqual(await appliedIn(space), ['0001_users.sql'])
    })

    test('another release meanwhile: ROLLOUT_REPLACED, and nothing is applied', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      await begin(space, helm)
      // The Job has seen its rollout complete when it waits for the lock.
      await space.db.sql(`select pg_advisory_lock(${lockKey('lockstep')})`)
      const upgrading = upgrade(helm)
      await until('Job that waits for the lock', async () =>
        (await wholeLog(space, behind)).includes('the lock is held by') ? true : undefined,
      )
      await space.kubectl('rollout', 'undo', 'deployment/crm')
      await space.db.sql(`select pg_advisory_unlock_all()`)
      const said = await upgrading
      assert.equal(said.exit, 1)
      assert.match(
        said.stderr,
        /deployment\/crm is of release [0-9a-f]{16}, this one is [0-9a-f]{16}/,
      )
      const pods = await space.pods(`app.kubernetes.io/component=${behind}`)
      assert.equal(endOf(pods.at(-1))?.exitCode, 1)
      assert.match(endOf(pods.at(-1))?.message ?? '', /ROLLOUT_REPLACED/)
      assert.deepEqual(await appliedIn(space), ['0001_users.sql'])
    })
  })
}
