import assert from 'node:assert/strict'
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { kept, root } from '../chart/rendered.ts'
import { findHelms } from '../support/helm.ts'
import { kubectl, noCluster, until } from '../support/kubectl.ts'
import { configMap, container, images, secret, serviceTo } from '../support/manifests.ts'
import {
  alone,
  backend,
  example,
  first,
  gate,
  gateLog,
  helmIn,
  inTwo,
  jobPods,
  newPod,
  ofExample,
  ofFiles,
  second,
  stayingPods,
  statusOf,
  wholeLog,
} from '../support/release.ts'
import { endOf, freshSpace, urlInPod, type Space } from '../support/space.ts'

const jobReason = 'jsonpath={.status.conditions[?(@.type=="Failed")].reason}'

interface ArgoObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly annotations?: Readonly<Record<string, string>>
  }
}

/**
 * What Argo CD does in a sync, as its documentation has it (sync-waves.md): phases one after another,
 * in a phase the waves; hooks of the policy BeforeHookCreation are deleted before they are made, and a
 * wave is over when its Jobs have completed. Argo CD itself is not here.
 */
async function argoSync(space: Space, rendered: string): Promise<void> {
  const key = 'argocd.argoproj.io'
  const objects: ArgoObject[] = parseAllDocuments(rendered).flatMap((one) => one.toJS() ?? [])
  const note = ({ metadata }: ArgoObject, name: string): string | undefined =>
    metadata.annotations?.[`${key}/${name}`]
  const wave = (object: ArgoObject): number => Number(note(object, 'sync-wave') ?? '0')
  for (const phase of ['PreSync', 'Sync', 'PostSync']) {
    const due = objects.filter((object) =>
      (note(object, 'hook') ?? 'Sync').split(',').includes(phase),
    )
    for (const object of due.toSorted((a, b) => wave(a) - wave(b))) {
      const name = `${object.kind}/${object.metadata.name}`
      if (note(object, 'hook-delete-policy')?.includes('BeforeHookCreation') === true)
        await space.kubectl('delete', name, '--ignore-not-found', '--wait')
      await kubectl(['apply', '-n', space.name, '-f', '-'], JSON.stringify(object))
      if (object.kind === 'Job') await space.wait(name, 'condition=Complete')
    }
  }
}

test(
  'every mode is accepted by the API server, without a field that it does not know',
  {
    skip: noCluster,
  },
  async () => {
    await using space = await freshSpace()
    const files = globSync(['test/chart/rendered/*.yaml', 'k8s/*.yaml'], { cwd: root })
    assert.ok(files.length > 12)
    for (const path of files.filter((file) => !file.endsWith('kustomization.yaml'))) {
      const text = kept(path).replaceAll('namespace: shop', `namespace: ${space.name}`)
      await kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], text)
    }
  },
)

test(
  'k8s: applied as it is, with a kustomization over it; pods wait and serve, a Job with other arguments runs',
  {
    skip: noCluster,
  },
  async () => {
    await using space = await freshSpace()
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-kustomize-'))
    try {
      const { repository, tag } = inTwo(images.example)
      const image = (name: string): object => ({ name, newName: repository, newTag: tag })
      const kustomization = {
        resources: [relative(folder, join(root, 'k8s')), 'once.yaml'],
        namespace: space.name,
        images: ['crm-migrations', 'crm-backend'].map(image),
      }
      writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
      writeFileSync(join(folder, 'once.yaml'), kept('k8s/once.yaml'))
      await space.apply(secret('crm-database', { DATABASE_URL: urlInPod(space.db.url) }))
      await space.kubectl('apply', '-k', folder)
      await space.kubectl('rollout', 'status', 'deployment/crm', '--timeout=60s')
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
      await space.wait('job/crm-lockstep-once', 'condition=Complete')
      assert.match(await space.log('job/crm-lockstep-once'), new RegExp(`${example.version}_`))
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

for (const by of findHelms()) {
  const isThree = by.version.startsWith('v3')

  describe(`Helm ${by.version}`, { skip: noCluster, concurrency: 2 }, () => {
    test('check 2: the database comes with the release, and Helm waits for all: no deadlock in mode job', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      const port = Number(new URL(space.db.url).port)
      const database = [
        ...serviceTo('late', process.env['TEST_CLUSTER_MACHINE'] ?? '', port),
        secret('late', { DATABASE_URL: urlInPod(space.db.url, 'late') }),
      ]
      const text = database.map((object) => JSON.stringify(object)).join('\n---\n')
      writeFileSync(join(crm, 'templates', 'database.yaml'), text)
      const values = ofExample('lockstep.mode=job', 'lockstep.database.existingSecret=late')
      await helm.must('install', 'crm', crm, '--wait', '--wait-for-jobs', ...values)
      assert.match(await gateLog(space), new RegExp(`ready: all ${example.files} files`))
    })

    test('check 8: the Job is deleted while it runs, and the gate holds what the hook lets through', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      await space.apply(configMap('one', first), configMap('two', second))
      await helm.must('install', 'crm', crm, '--wait', ...ofFiles('one'))
      const before = (await stayingPods(space)).map(({ metadata }) => metadata.name)
      await space.db.superuser('begin; lock table users in access share mode')
      const two = ofFiles('two')
      const upgrade = helm.run('upgrade', 'crm', crm, '--timeout', '25s', ...two)
      await until('Job that waits for the lock', async () =>
        (await wholeLog(space)).includes('0002_mail.sql') ? true : undefined,
      )
      await space.kubectl('delete', 'job/crm-lockstep-migrate')
      const said = await upgrade
      // Helm 3 takes a Job that is gone for one that succeeded; Helm 4 does not.
      assert.equal(said.exit, isThree ? 0 : 1, said.stderr)
      if (isThree) {
        const pod = await newPod(space, before)
        await space.says(`pod/${pod}`, '0002_mail.sql', gate)
        assert.equal(
          endOf(
            (await stayingPods(space)).find(({ metadata }) => metadata.name === pod),
            gate,
          ),
          undefined,
        )
      }
      await space.db.superuser('commit')
      await helm.must('upgrade', 'crm', crm, '--wait', ...two)
      assert.match(await gateLog(space), /ready: all 2 files/)
    })

    test('check 16: beside a native sidecar the Job completes', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const command = ['/nodejs/bin/node', '-e', 'setInterval(() => {}, 1000)']
      const sidecar = container({ name: 'proxy', command, isSidecar: true })
      const more = ['--set-json', `extraInitContainers=${JSON.stringify([sidecar])}`]
      const chart = helm.charts.lockstep
      await helm.must('install', 'crm', chart, ...alone(images.example), ...more)
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
    })

    test('check 16: beside a classic sidecar the files are applied, and the Job ends at its deadline', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const more = [
        'mode=job',
        'job.activeDeadlineSeconds=20',
        'job.terminationGracePeriodSeconds=2',
      ]
      const values = alone(images.example, ...more)
      const { stdout } = await helm.must('template', 'crm', helm.charts.lockstep, ...values)
      const command = ['/nodejs/bin/node', '-e', 'setInterval(() => {}, 1000)']
      const objects = parseAllDocuments(stdout).map((document) => {
        if (document.get('kind') === 'Job')
          document.addIn(
            ['spec', 'template', 'spec', 'containers'],
            container({ name: 'proxy', command }),
          )
        return document.toJS()
      })
      await space.apply(...objects)
      const name = objects.find(({ kind }) => kind === 'Job')?.metadata.name
      await space.says(`job/${name}`, 'exit 0')
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
      await space.wait(`job/${name}`, 'condition=Failed')
      assert.equal(await space.kubectl('get', `job/${name}`, '-o', jobReason), 'DeadlineExceeded')
    })

    test('check 17: what Argo CD does: first sync, the same again, another image', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      await space.apply(configMap('one', first), configMap('two', second))
      for (const [files, said] of [
        ['one', /done 1 file /],
        ['one', /done nothing to do: 1 file /],
        ['two', /done 1 file /],
      ] as const) {
        const values = ofFiles(files, 'lockstep.mode=argocd')
        const { stdout } = await helm.must('template', 'crm', helm.charts.crm, ...values)
        await argoSync(space, stdout)
        assert.match(await wholeLog(space), said)
        await space.kubectl('rollout', 'status', 'deployment/crm', '--timeout=60s')
      }
      assert.equal(await statusOf(space), 'succeeded 0002')
    })

    test('check 17: what Flux does with mode job: no hooks, all is waited for, other content runs again', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { crm } = helm.charts
      await space.apply(configMap('one', first), configMap('two', second))
      const flags = ['--no-hooks', '--wait', '--wait-for-jobs']
      await helm.must('install', 'crm', crm, ...flags, ...ofFiles('one', 'lockstep.mode=job'))
      await helm.must('upgrade', 'crm', crm, ...flags, ...ofFiles('one', 'lockstep.mode=job'))
      assert.equal((await space.pods(jobPods)).length, 1)
      await helm.must('upgrade', 'crm', crm, ...flags, ...ofFiles('two', 'lockstep.mode=job'))
      assert.equal(await statusOf(space), 'succeeded 0002')
      assert.match(await gateLog(space), /ready: all 2 files/)
    })

    test('beside: the chart stands alone beside a backend, both with one tag', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const { beside, lockstep } = helm.charts
      const { repository, tag } = inTwo(images.example)
      await space.apply(secret('crm-database', { DATABASE_URL: urlInPod(space.db.url) }))
      const release = ['-f', join(beside, 'release.yaml'), '--set', `global.tag=${tag}`]
      const schema = ['-f', join(beside, 'schema.yaml'), '--set', `image.repository=${repository}`]
      await helm.must('upgrade', '--install', 'schema', lockstep, ...schema, ...release)
      const own = `image.repository=${repository},migrations.repository=${repository}`
      const chart = join(beside, 'backend')
      await helm.must('upgrade', '--install', 'backend', chart, '--wait', ...release, '--set', own)
      assert.equal(await statusOf(space, 'schema-lockstep'), `succeeded ${example.version}`)
      const gates = (await space.pods(backend)).map((pod) => endOf(pod, gate)?.exitCode)
      assert.deepEqual(gates, [0, 0])
    })

    test('the gate reads the status as a file: no token, no right, no network', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const file = ofExample('lockstep.gate.from=file')
      await helm.must('install', 'crm', helm.charts.crm, '--wait', ...file)
      assert.match(await gateLog(space), new RegExp(`ready: all ${example.files} files`))
      const roles = await space.kubectl('get', 'roles', '-o', 'name')
      assert.deepEqual(roles.trim().split('\n'), [
        'role.rbac.authorization.k8s.io/crm-lockstep-migrate',
      ])
    })

    test('two releases of one namespace, with names of their own, and any user (OpenShift)', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const chart = helm.charts.lockstep
      const user = 'podSecurityContext.runAsUser=1000650000'
      await helm.must('install', 'crm', chart, ...alone(images.example, user))
      await space.apply(configMap('billing', { '0001_bills.sql': 'create table bills (id int);' }))
      const own = [
        'fullnameOverride=billing',
        'migrations.configMap=billing',
        'settings.LOCKSTEP_SCHEMA=billing',
        'settings.LOCKSTEP_BASELINE=ignore',
      ]
      await helm.must('install', 'other', chart, ...alone(images.plain, ...own))
      assert.equal(await statusOf(space, 'billing'), 'succeeded 0001')
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
      const jobs = await space.kubectl('get', 'jobs', '-o', 'name')
      assert.deepEqual(jobs.trim().split('\n'), [
        'job.batch/billing-migrate',
        'job.batch/crm-lockstep-migrate',
      ])
    })

    test('from hooks to mode job, which runs again when it is told to', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      const chart = helm.charts.lockstep
      await helm.must('install', 'crm', chart, ...alone(images.example))
      // What hooks have left belongs to no release.
      const wait = ['--wait', '--wait-for-jobs']
      const job = alone(images.example, 'mode=job')
      const refused = await helm.run('upgrade', 'crm', chart, ...wait, ...job)
      assert.match(refused.stderr, /cannot be imported into the current release/)
      await helm.must('upgrade', 'crm', chart, '--take-ownership', ...wait, ...job)
      const again = alone(images.example, 'mode=job', 'job.rerun=again')
      await helm.must('upgrade', 'crm', chart, ...wait, ...again)
      assert.match(await wholeLog(space), /done nothing to do/)
    })

    for (const mode of ['hook', 'job']) {
      test(`from the chart of an older version to this one, mode ${mode}`, async () => {
        await using space = await freshSpace()
        using helm = await helmIn(space, by)
        const { lockstep } = helm.charts
        const chart = join(lockstep, 'Chart.yaml')
        const older = kept('helm/lockstep/Chart.yaml').replace('version: 0.1.0', 'version: 0.0.9')
        writeFileSync(chart, older)
        const values = ['--wait', '--wait-for-jobs', ...alone(images.example, `mode=${mode}`)]
        await helm.must('install', 'crm', lockstep, ...values)
        writeFileSync(chart, kept('helm/lockstep/Chart.yaml'))
        await helm.must('upgrade', 'crm', lockstep, ...values)
        const label = String.raw`jsonpath={.items[*].metadata.labels.helm\.sh/chart}`
        const jobs = await space.kubectl('get', 'jobs', '-o', label)
        assert.equal(jobs, 'lockstep-0.1.0')
        // Of mode job it is the same one: what it says has not changed.
        assert.equal((await space.pods(jobPods)).length, 1)
      })
    }
  })
}
