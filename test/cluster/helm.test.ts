import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findHelms } from '../support/helm.ts'
import { noCluster } from '../support/kubectl.ts'
import { freshDatabase } from '../support/database.ts'
import { configMap, secret } from '../support/manifests.ts'
import {
  backend,
  example,
  first,
  gate,
  gateLog,
  helmIn,
  jobPods,
  newPod,
  ofExample,
  ofFiles,
  second,
  stayingPods,
  statusOf,
} from '../support/release.ts'
import { endOf, freshSpace, recordsOf, urlInPod, type Space } from '../support/space.ts'

const broken = { ...first, '0002_mail.sql': 'alter table users\n  add mail txet;' }
const breaking = {
  ...second,
  '0003_name.sql': '-- lockstep: breaks-before 0003\nalter table users add name text;',
}

/** Helm shows the log to a person. */
const readable = 'lockstep.settings.LOCKSTEP_LOG_FORMAT=pretty'

async function podNames(space: Space): Promise<string[]> {
  return (await stayingPods(space)).map(({ metadata }) => metadata.name)
}

for (const by of findHelms()) {
  const isThree = by.version.startsWith('v3')

  describe(`Helm ${by.version}`, { skip: noCluster, concurrency: 2 }, () => {
    test('check 1: from nothing to ready pods in one command; the Job comes before the pods', async (t) => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      const said = await helm.must('install', 'crm', crm, '--wait', ...ofExample(readable))
      t.diagnostic(said.stdout + said.stderr)
      assert.match(said.stderr, new RegExp(`done +${example.files} files`))
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
      const [job, pods] = ['job/crm-lockstep-migrate', ['pods', '-l', backend]] as const
      const done = await space.kubectl('get', job, '-o', 'jsonpath={.status.completionTime}')
      const created = 'jsonpath={.items[0].metadata.creationTimestamp}'
      const made = await space.kubectl('get', ...pods, '-o', created)
      assert.ok(done <= made, `the Job was done at ${done}, the first pod made at ${made}`)
      assert.match(await gateLog(space), new RegExp(`ready: all ${example.files} files`))
    })

    test('check 13: an upgrade without new SQL is done at once, and pods that run keep all they have', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      const kept = async (): Promise<object> => ({
        pods: await podNames(space),
        account: await space.kubectl('get', 'sa/crm', '-o', 'jsonpath={.metadata.uid}'),
        status: await space.kubectl('get', 'cm/crm-lockstep', '-o', 'jsonpath={.data}'),
      })
      await helm.must('install', 'crm', crm, '--wait', ...ofExample())
      const before = await kept()
      for (const _ of ['once', 'twice']) {
        await helm.must('upgrade', 'crm', crm, '--wait', ...ofExample())
        const last = recordsOf(await space.log('job/crm-lockstep-migrate')).at(-1)
        assert.match(
          last?.message ?? '',
          /^done nothing to do: \d+ files .* in [0-2]\.\d+ s, exit 0$/,
        )
      }
      assert.deepEqual(await kept(), before)
    })

    test('check 3: a broken file fails the upgrade within 20 s, says why, and the old pods go on', async (t) => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      await space.apply(configMap('one', first), configMap('two', broken))
      await helm.must('install', 'crm', crm, '--wait', ...ofFiles('one'))
      const before = await podNames(space)
      const begunMs = performance.now()
      const said = await helm.run('upgrade', 'crm', crm, ...ofFiles('two', readable))
      assert.ok(performance.now() - begunMs < 20_000)
      t.diagnostic(said.stdout + said.stderr)
      assert.equal(said.exit, 1)
      assert.match(said.stderr, /UPGRADE FAILED: pre-upgrade hooks failed/)
      assert.match(said.stderr, /0002_mail\.sql:2:12 type .*txet.* does not exist \(42704\)/)
      const pods = await space.pods(jobPods)
      assert.deepEqual(
        pods.map((pod) => endOf(pod)?.exitCode),
        [1],
      )
      assert.match(endOf(pods[0])?.message ?? '', /0002_mail\.sql:2:12 [^]*\(42704\)/)
      const described = await space.kubectl('describe', 'pods', '-l', jobPods)
      assert.match(described, /Message: +.*0002_mail\.sql/)
      const reason = 'jsonpath={.status.conditions[?(@.type=="Failed")].reason}'
      assert.equal(
        await space.kubectl('get', 'job/crm-lockstep-migrate', '-o', reason),
        'PodFailurePolicy',
      )
      assert.deepEqual(await podNames(space), before)
      assert.equal(await statusOf(space), 'failed 0001')
    })

    test('check 10: a release whose pods never serve is rolled back by Helm, on the newer schema', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      await space.apply(configMap('one', first), configMap('two', second))
      await helm.must('install', 'crm', crm, '--wait', ...ofFiles('one'))
      const flag = isThree ? '--atomic' : '--rollback-on-failure'
      const nowhere = ofFiles('two', 'image.repository=nowhere.example.com/crm')
      const said = await helm.run('upgrade', 'crm', crm, flag, '--timeout', '20s', ...nowhere)
      assert.equal(said.exit, 1)
      assert.match(said.stderr, /has been rolled back|release crm has been rolled back|rolled back/)
      assert.equal(await statusOf(space), 'succeeded 0002')
      // A pod of the older image that comes now meets the newer schema.
      await space.kubectl('delete', 'pods', '-l', backend)
      assert.match(await gateLog(space), /ahead by 1 file/)
    })

    test('helm rollback: the gate of the older image passes, and is refused by name by breaks-before', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      await space.apply(
        configMap('one', first),
        configMap('two', second),
        configMap('three', breaking),
      )
      await helm.must('install', 'crm', crm, '--wait', ...ofFiles('one'))
      await helm.must('upgrade', 'crm', crm, '--wait', ...ofFiles('two'))
      await helm.must('rollback', 'crm', '1', '--wait')
      assert.match(await gateLog(space), /ahead by 1 file/)

      await helm.must('upgrade', 'crm', crm, '--wait', ...ofFiles('three'))
      const newer = await podNames(space)
      await helm.must('rollback', 'crm', '1')
      const older = await newPod(space, newer)
      const refused = await space.says(`pod/${older}`, 'IMAGE_TOO_OLD', gate)
      assert.match(refused, /0003_name\.sql/)
      assert.deepEqual((await podNames(space)).toSorted(), [...newer, older].toSorted())
    })

    test('uninstalled, and installed again on another database: the status that was left is made anew before the pods come', async () => {
      await using space = await freshSpace()
      await using other = await freshDatabase()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      await space.apply(configMap('one', first))
      await helm.must('install', 'crm', crm, '--wait', ...ofFiles('one'))
      await helm.must('uninstall', 'crm', '--wait')
      assert.equal(await statusOf(space), 'succeeded 0001')
      const document = String.raw`jsonpath={.data.status\.json}`
      const left = await space.kubectl('get', 'cm/crm-lockstep', '-o', document)
      await space.apply(secret('database', { DATABASE_URL: urlInPod(other.url) }))
      await helm.must('install', 'crm', crm, '--wait', ...ofFiles('one'))
      const [ledger] = await other.sql<{ count: string }>('select count(*) from lockstep.ledger')
      assert.equal(ledger?.count, '1')
      const now = await space.kubectl('get', 'cm/crm-lockstep', '-o', document)
      assert.equal(await statusOf(space), 'succeeded 0001')
      assert.notEqual(JSON.parse(now).database, JSON.parse(left).database)

      // What stays, and the two lines that remove it.
      await helm.must('uninstall', 'crm', '--wait')
      const kinds = 'job,role,rolebinding,serviceaccount,networkpolicy'
      const ours = ['-l', 'app.kubernetes.io/instance=crm,app.kubernetes.io/name=lockstep']
      assert.match(await space.kubectl('get', kinds, ...ours), /crm-lockstep-migrate/)
      await space.kubectl('delete', kinds, ...ours)
      await space.kubectl('delete', 'configmap', 'crm-lockstep')
      assert.equal(await space.kubectl('get', kinds, ...ours), '')
    })
  })
}
