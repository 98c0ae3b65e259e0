import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findHelms, helm } from '../support/helm.ts'
import { readValues } from './readme.ts'
import { copyOfCharts, kept } from './rendered.ts'
import { hook, lockstep, objectsIn, rendering, template } from './template.ts'

/** Of the variables that are no `settings`. */
const values: Readonly<Record<string, string>> = {
  LOCKSTEP_PHASE: 'job.phase',
  LOCKSTEP_STATUS_REQUIRED: 'status.enabled',
}

/** What the plainest use sets, so that to leave it empty is another thing. */
const given = new Set(['image.repository', 'image.tag', 'database.existingSecret'])
/** Without which an object of Kubernetes has none of its own. */
const nullable = new Set([
  'job.ttlSecondsAfterFinished',
  'podAnnotations',
  'podSecurityContext',
  'securityContext',
  'resources',
  'gate.resources',
])

for (const by of findHelms()) {
  const name = `Helm ${by.version}`

  // A case: what is set, and what is said about it.
  for (const [set, said] of [
    ['mode=hok', /at '\/mode': value must be one of 'hook', 'job', 'argocd', 'gate'/],
    ['job.backofLimit=1', /at '\/job': additional properties 'backofLimit' not allowed/],
    ['imag.tag=1', /additional properties 'imag' not allowed/],
    ['image.tag=5', /at '\/image\/tag': got number, want string/],
    ['image.repository=', /image\.repository is not set: name the image that holds your SQL files/],
    ['settings.LOCKSTEP_RUNER_WAIT=5m', /additional properties 'LOCKSTEP_RUNER_WAIT' not allowed/],
    ['settings.LOCKSTEP_RUNNER_WAIT=5min', /RUNNER_WAIT': '5min' does not match pattern/],
    ['settings.LOCKSTEP_DEADLINE=5m', /additional properties 'LOCKSTEP_DEADLINE' not allowed/],
    [
      'gate.from=redis',
      /at '\/gate\/from': value must be one of '', 'database', 'configmap', 'file'/,
    ],
    ['gate.wait=9', /at '\/gate\/wait': '9' does not match pattern|got number, want string/],
    [
      'database.url=postgres://db',
      /database\.url and database\.existingSecret are both set: take one/,
    ],
    [
      'database.existingSecret=',
      /where is the database\? Set database\.existingSecret to a Secret/,
    ],
    [
      'hook.events={post-install}',
      /the gate is on: Helm would wait for pods that wait for the Job/,
    ],
    ['hook.events={later}', /at '\/hook\/events\/0': value must be one of 'pre-install'/],
    ['status.enabled=false', /the gate reads the configmap, which nobody writes/],
    [
      'job.activeDeadlineSeconds=35',
      /is 35: it must be longer than job\.terminationGracePeriodSeconds/,
    ],
    ['mode=argocd,job.ttlSecondsAfterFinished=60', /below 3600: Argo CD hangs in a sync/],
    ['migrations.configMap=a,migrations.volume.emptyDir=b', /are both set: take one/],
    ['fullnameOverride=My_App', /at '\/fullnameOverride': 'My_App' does not match pattern/],
    ['nameOverride=My_App', /at '\/nameOverride': 'My_App' does not match pattern/],
    ['image.digest=1.0.0', /at '\/image\/digest': '1\.0\.0' does not match pattern '.*sha256:/],
    ['extraEnv.PGHOST=db', /at '\/extraEnv': got object, want array/],
    [
      'extraEnv[0].name=LOCKSTEP_PHASE,extraEnv[0].value=all',
      /extraEnv has LOCKSTEP_PHASE, which the chart sets by itself: see job, /,
    ],
    ['extraEnv[0].name=DATABASE_URL', /extraEnv has DATABASE_URL, and a Secret for it is set/],
    ['mode=gate,job.args={status}', /mode is gate, so there is no Job .* need another mode/],
    ['mode=gate,afterRollout.enabled=true,afterRollout.deployments={crm}', /mode is gate/],
    [
      'serviceAccount.name=crm,gate.serviceAccountName=crm',
      /is the account of the pods with the gate: .* lose their token/,
    ],
    ['afterRollout.enabled=true', /afterRollout\.enabled needs afterRollout\.deployments/],
    [
      'afterRollout.enabled=true,afterRollout.deployments={crm},job.phase=all',
      /job\.phase is all: the first Job would apply the files of the second/,
    ],
    [
      'afterRollout.activeDeadlineSeconds=35',
      /^.*afterRollout\.activeDeadlineSeconds is 35: it must be longer/m,
    ],
  ] as const) {
    test(`${name}: ${set} is refused with a reason`, async () => {
      const { exit, stderr } = await template(by, ...hook, '--set', set)
      assert.equal(exit, 1)
      assert.match(stderr, said)
    })
  }

  test(`${name}: an address in the values goes with the hook, so the gate needs its own`, async () => {
    const url = ['-f', 'test/chart/cases/hook-url.yaml', '--set', 'gate.from=database']
    assert.match(
      (await template(by, ...url)).stderr,
      /goes with the hook: set gate\.existingSecret/,
    )
    await rendering(by, ...url, '--set', 'gate.existingSecret=crm-backend')
  })

  test(`${name}: a hook behind the rollout may stand beside a gate in the phase after it`, async () => {
    const after = ['--set', 'hook.events={post-upgrade},job.phase=after-rollout']
    assert.match(await rendering(by, ...hook, ...after), /helm\.sh\/hook: post-upgrade/)
  })

  test(`${name}: an address that is none is refused, and not shown`, async () => {
    const set = 'database.existingSecret=,database.url=mysql://crm:s3cret@db/crm'
    const { exit, stdout, stderr } = await template(by, ...hook, '--set', set)
    assert.equal(exit, 1)
    assert.match(stderr, /database\.url must begin with postgres:\/\/ or postgresql:\/\//)
    assert.doesNotMatch(stdout + stderr, /s3cret/)
  })

  test(`${name}: names that look like numbers stay text: a release for each pull request`, async () => {
    const odd = {
      serviceAccount: { name: '0123' },
      gate: { serviceAccountName: '0456', existingSecret: '0789' },
      database: { existingSecret: '1e3', existingSecretKey: '22' },
      status: { name: '0567' },
      priorityClassName: '1e9',
      migrations: { configMap: '2e2' },
      commonLabels: { revision: '1234567', team: 'crm' },
      podLabels: { team: 'migrations', 'app.kubernetes.io/name': 'other' },
      networkPolicy: { enabled: true },
      afterRollout: { enabled: true, deployments: ['12'] },
    }
    const image = { repository: 'crm-migrations', tag: '1.10' }
    const json = Object.entries({ image, ...odd }).flatMap(([key, value]) => [
      '--set-json',
      `${key}=${JSON.stringify(value)}`,
    ])
    for (const mode of ['hook', 'job', 'argocd']) {
      const flags = ['-n', '5678', '--set', `gate.from=configmap,mode=${mode}`, ...json]
      const said = await helm(by, ['template', '1234', lockstep, ...flags])
      assert.equal(said.exit, 0, said.stderr)
      const objects = objectsIn(said.stdout)
      assert.ok(objects.length > 10)
      for (const { kind, ...object } of objects) assertText(object, kind)
      const job = objects.find(({ kind }) => kind === 'Job')
      // Labels of the values may be given twice; those by which pods are found are the chart’s.
      assert.deepEqual(job?.spec?.template?.metadata, {
        labels: {
          'app.kubernetes.io/component': job?.metadata.labels['app.kubernetes.io/component'],
          'app.kubernetes.io/instance': '1234',
          'app.kubernetes.io/name': 'lockstep',
          revision: '1234567',
          team: 'migrations',
        },
        annotations: {
          'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
          'karpenter.sh/do-not-disrupt': 'true',
        },
      })
    }
  })

  test(`${name}: a volume, its mount and its variable reach Jobs and gate`, async () => {
    using charts = await copyOfCharts(by)
    const ca = {
      extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
      extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }],
      extraEnv: [{ name: 'PGSSLROOTCERT', value: '/ca/ca.crt' }],
      afterRollout: { enabled: true, deployments: ['crm'] },
    }
    const set = ['--set-json', `lockstep=${JSON.stringify(ca)}`]
    const said = await helm(by, ['template', 'crm', charts.crm, ...set])
    assert.equal(said.exit, 0, said.stderr)
    const pods = objectsIn(said.stdout).flatMap(({ spec }) => spec?.template?.spec ?? [])
    assert.equal(pods.length, 3)
    for (const { volumes, initContainers = [], containers } of pods) {
      assert.deepEqual(volumes, ca.extraVolumes)
      const [ours] = [...initContainers, ...containers]
      assert.deepEqual(ours?.volumeMounts, ca.extraVolumeMounts)
      assert.deepEqual(
        ours?.env.filter((one) => one.name === 'PGSSLROOTCERT'),
        ca.extraEnv,
      )
    }
  })

  test(`${name}: pods of another set of files are told apart, also where a template names it`, async () => {
    using charts = await copyOfCharts(by)
    const sets = new Set<string | undefined>()
    for (const tag of ['1.0.0', '1.1.0']) {
      const files =
        'lockstep.image.tag=0.1.0,lockstep.migrations.configMap=sql-{{.Values.global.tag}}'
      const set = ['--set', `global.tag=${tag},${files}`]
      const said = await helm(by, ['template', 'crm', charts.crm, ...set])
      sets.add(/lockstep\/set: (.*)/.exec(said.stdout)?.[1])
    }
    assert.equal(sets.size, 2)
  })

  test(`${name}: each command and each variable that docs/errors.md tells has its line`, async () => {
    const page = kept('docs/errors.md')
    const commands = [...page.matchAll(/`lockstep ((?:status|adopt|check)[^`|;]*)/g)]
    assert.ok(commands.length > 10)
    for (const line of new Set(commands.map(([, words = '']) => words.trim()))) {
      const words = line.split(' ')
      const args = ['--set-string', `job.args={${words.join(',')}}`, '-s', 'templates/once.yaml']
      const [job] = objectsIn(await rendering(by, ...hook, ...args))
      assert.deepEqual(job?.spec?.template?.spec.containers[0]?.args, words)
    }
    const told = [...page.matchAll(/`(LOCKSTEP_[A-Z_]+)=(\w+)`/g)]
    assert.ok(told.length > 3)
    for (const [, variable = '', value = ''] of told) {
      const own = values[variable] ?? `settings.${variable}`
      const text = await rendering(by, ...hook, '--set', `${own}=${value}`)
      assert.match(text, new RegExp(`name: ${variable}\n +value: "?${value}"?\n`))
    }
  })

  // Helm takes a value away where a file has its name with nothing behind it.
  test(`${name}: a value left empty is the same as none, or is missed by its name`, async () => {
    const preset = await rendering(by, ...hook)
    const told = readValues(kept('helm/lockstep/values.yaml'))
    const groups = told.flatMap(({ path }) =>
      path.includes('.') ? [path.split('.')[0] ?? ''] : [],
    )
    const paths = [...new Set([...told.map(({ path }) => path), ...groups])]
    for (const path of paths) {
      const { exit, stdout, stderr } = await template(by, ...hook, '--set', `${path}=null`)
      const isEmpty = ['""', '{}', '[]'].includes(
        told.find((one) => one.path === path)?.preset ?? '',
      )
      if (given.has(path)) assert.equal(exit === 0, path === 'image.tag', stderr)
      else if (isEmpty) assert.equal(stdout, preset, path + stderr)
      else if (exit === 0) assert.ok(nullable.has(path), path)
      else assert.match(stderr, new RegExp(`missing property '${path.split('.').at(-1)}'`), path)
    }
  })

  test(`${name}: switched off it gives nothing, and needs nothing`, async () => {
    assert.equal((await rendering(by, '--set', 'enabled=false')).trim(), '')
  })
}

/** What Kubernetes wants as text: names, and all of labels and annotations. */
function assertText(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, below] of Object.entries(value)) {
    const here = `${path}.${key}`
    const isText =
      /name$|^namespace$|^key$/i.test(key) || /\.(labels|annotations|matchLabels)\.[^.]/.test(here)
    if (isText || path.endsWith('.resourceNames')) assert.equal(typeof below, 'string', here)
    else assertText(below, here)
  }
}
