import assert from 'node:assert/strict'
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { findHelms, helm, noHelm, type Helm, type HelmSaid } from '../support/helm.ts'
import { copyOfCharts, kept, rendered, root } from './rendered.ts'

const lockstep = 'helm/lockstep'
const hook = ['-f', 'test/chart/cases/hook.yaml']
const helms = findHelms()

test('Helm is here', { skip: helms.length === 0 && noHelm }, () => {
  for (const { version } of helms) assert.match(version, /^v[34]\./)
})

interface KubernetesObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly annotations?: Readonly<Record<string, string>>
  }
}

function objects(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => document.toJS() ?? [])
}

const namesIn = (text: string): readonly string[] =>
  objects(text).map(({ kind, metadata }) => `${kind} ${metadata.name}`)

function template(by: Helm, ...args: readonly string[]): Promise<HelmSaid> {
  return helm(by, ['template', 'crm', lockstep, ...args])
}

async function rendering(by: Helm, ...args: readonly string[]): Promise<string> {
  const said = await template(by, ...args)
  assert.equal(said.exit, 0, said.stderr)
  return said.stdout
}

async function nameOfJob(by: Helm, ...set: readonly string[]): Promise<string> {
  const text = await rendering(by, '-f', 'test/chart/cases/job.yaml', ...set)
  return namesIn(text).find((found) => found.startsWith('Job ')) ?? ''
}

for (const by of helms) {
  const name = `Helm ${by.version}`

  test(`${name}: lint has nothing to say but about an icon`, async () => {
    for (const path of globSync('test/chart/cases/*.yaml', { cwd: root })) {
      const { exit, stdout, stderr } = await helm(by, ['lint', '--strict', lockstep, '-f', path])
      assert.equal(exit, 0, stdout + stderr)
      assert.doesNotMatch(stdout, /\[(WARNING|ERROR)\]/)
    }
  })

  test(`${name}: every mode, each example and k8s are as they were reviewed`, async () => {
    const files = await rendered(by)
    assert.ok(files.size > 12)
    for (const [path, text] of files) {
      assert.equal(text, kept(path), `${path}: make manifests writes it anew, to be reviewed`)
    }
    const known = globSync(['test/chart/rendered/*.yaml'], { cwd: root })
    assert.deepEqual(
      known.filter((path) => !files.has(path)),
      [],
    )
  })

  test(`${name}: it is packed, and what is packed can be used`, async () => {
    using folder = temporary()
    const packed = await helm(by, ['package', lockstep, '-d', folder.path])
    assert.equal(packed.exit, 0, packed.stderr)
    const archive = join(folder.path, 'lockstep-0.1.0.tgz')
    assert.ok(existsSync(archive))
    const said = await helm(by, ['template', 'crm', archive, ...hook])
    assert.equal(said.stdout, await rendering(by, ...hook))
  })

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
    ['database.url=mysql://db', /at '\/database\/url': 'mysql:\/\/db' does not match pattern/],
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

  test(`${name}: the name of a Job without hooks changes with what it says, and only then`, async () => {
    const first = await nameOfJob(by)
    assert.match(first, /^Job crm-lockstep-migrate-[0-9a-f]{8}$/)
    assert.equal(await nameOfJob(by), first)
    // What a release counts must not be in it: `helm template` and `helm upgrade` agree.
    assert.equal(await nameOfJob(by, '--is-upgrade'), first)
    for (const set of ['job.rerun=again', 'image.tag=v2', 'settings.LOCKSTEP_LOCK_TIMEOUT=1s']) {
      assert.notEqual(await nameOfJob(by, '--set', set), first, set)
    }
  })

  test(`${name}: two releases of a namespace, and long names, have no object in common`, async () => {
    const long = 'a-release-with-a-very-long-name-of-fifty-letters'
    const releases = ['crm', 'lockstep', `${long}-a`, `${long}-b`]
    const all: string[] = []
    for (const release of releases) {
      const said = await helm(by, ['template', release, lockstep, ...hook, '--set', 'mode=job'])
      assert.equal(said.exit, 0, said.stderr)
      all.push(...namesIn(said.stdout))
    }
    assert.equal(new Set(all).size, all.length)
    for (const one of all) assert.ok((one.split(' ')[1] ?? '').length <= 63, one)
    assert.ok(all.includes('ServiceAccount lockstep-migrate'))
  })

  test(`${name}: no object of Argo CD is a hook of Helm, and all of them have a wave`, async () => {
    for (const file of ['argocd', 'argocd-sync']) {
      for (const { kind, metadata } of objects(kept(`test/chart/rendered/${file}.yaml`))) {
        const keys = Object.keys(metadata.annotations ?? {})
        assert.ok(keys.includes('argocd.argoproj.io/sync-wave'), `${kind} ${metadata.name}`)
        assert.deepEqual(
          keys.filter((key) => key.startsWith('helm.sh/')),
          [],
        )
      }
    }
  })

  test(`${name}: a chart may have the objects in files of its own, also under an alias`, async () => {
    using charts = await copyOfCharts(by)
    const whole = await helm(by, ['template', 'crm', charts.crm])
    const names = ['rbac', 'job', 'gate.rbac']
    const own = names.map((one) => `{{ include "lockstep.${one}" . }}\n`).join('---\n')
    writeFileSync(join(charts.crm, 'templates', 'own.yaml'), own)
    const said = await helm(by, ['template', 'crm', charts.crm, '--set', 'lockstep.enabled=false'])
    assert.equal(said.exit, 0, said.stderr)
    assert.deepEqual(namesIn(said.stdout).toSorted(), namesIn(whole.stdout).toSorted())

    writeFileSync(join(charts.crm, 'templates', 'own.yaml'), '')
    const chart = join(charts.crm, 'Chart.yaml')
    writeFileSync(chart, `${kept('helm/examples/crm/Chart.yaml')}    alias: billing\n`)
    assert.equal((await helm(by, ['dependency', 'update', charts.crm])).exit, 0)
    const billing = 'billing.image.repository=crm,billing.database.existingSecret=crm-database'
    const aliased = await helm(by, ['template', 'crm', charts.crm, '--set', billing])
    assert.match(
      aliased.stderr,
      /under an alias, pass its scope: include "lockstep\.gate" \.Subcharts/,
    )
  })
}

function temporary(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-packed-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
