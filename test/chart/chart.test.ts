import assert from 'node:assert/strict'
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { findHelms, helm, noHelm, type Helm } from '../support/helm.ts'
import { copyOfCharts, kept, rendered, root } from './rendered.ts'
import { hook, lockstep, namesIn, objectsIn, rendering } from './template.ts'

const helms = findHelms()

test('Helm is here', { skip: helms.length === 0 && noHelm }, () => {
  for (const { version } of helms) assert.match(version, /^v[34]\./)
})

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

  test(`${name}: the name of a Job without hooks changes with what it says, and only then`, async () => {
    const first = await nameOfJob(by)
    assert.match(first, /^Job crm-lockstep-migrate-[0-9a-f]{8}$/)
    assert.equal(await nameOfJob(by), first)
    for (const set of ['job.rerun=again', 'image.tag=v2', 'settings.LOCKSTEP_LOCK_TIMEOUT=1s']) {
      assert.notEqual(await nameOfJob(by, '--set', set), first, set)
    }
  })

  // So that Argo CD, `helm template` and the first release get what an upgrade gets.
  test(`${name}: nothing depends on what is in the cluster, or on which release this is`, async () => {
    for (const path of globSync('test/chart/cases/*.yaml', { cwd: root })) {
      const values = ['-f', path]
      assert.equal(await rendering(by, ...values, '--is-upgrade'), await rendering(by, ...values))
    }
    for (const path of globSync('helm/lockstep/templates/*', { cwd: root })) {
      assert.doesNotMatch(kept(path), /\blookup\b|\.Capabilities|Release\.(Is|Revision)/, path)
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
      for (const { kind, metadata } of objectsIn(kept(`test/chart/rendered/${file}.yaml`))) {
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
