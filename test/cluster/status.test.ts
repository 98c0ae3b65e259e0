import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { StatusMap } from '../../src/kubernetes/status-map.ts'
import { publishedOf, textOf, type AppliedRow } from '../../src/published.ts'
import { exampleNames, exampleVersion } from '../support/example.ts'
import { noCluster } from '../support/kubectl.ts'
import {
  serviceAccount,
  configMap,
  container,
  images,
  job,
  pod,
  secret,
  type Manifest,
} from '../support/manifests.ts'
import { endOf, freshSpace, recordsOf, statusOf, type Space } from '../support/space.ts'

const published = { LOCKSTEP_STATUS: 'configmap/status' }
const migrates = container({ image: images.example, env: published })
const asRunner = { containers: [migrates], account: 'runner' }

const facts = {
  state: 'succeeded',
  database: '0123456789abcdef',
  run: 'cafe0123',
  set: '0'.repeat(64),
  program: '1.2.3',
  started: '2026-11-23T02:14:07.412Z',
} as const

/** So many files that a baseline stood for, and one that was applied. */
function coveredRows(files: number): AppliedRow[] {
  return Array.from({ length: files + 1 }, (_, index) => ({
    name: `${index + 1}_a_file_with_a_name_of_usual_length.sql`,
    checksum: hash('sha256', `bytes of ${index}`),
    meanings: [hash('sha256', `meaning of ${index}`)],
    breaksBefore: null,
    how: index < files ? 'baseline' : 'transaction',
  }))
}

/** Runs a pod to its end; how it ended, and what it said. */
async function runOnce(space: Space, manifest: Manifest, name = 'migrate') {
  await space.apply(manifest)
  await space.ended(`pod/${name}`)
  const [found] = await space.pods(`app=${name}`)
  const log = await space.log(`pod/${name}`)
  return { exit: endOf(found)?.exitCode, log }
}

describe('the status', { skip: noCluster, concurrency: 3 }, () => {
  test('check 7: get, create and patch on one name suffice, and allow no other name', async () => {
    await using space = await freshSpace()
    await space.apply(...serviceAccount('runner', ['get', 'create', 'patch']))
    await space.apply(job('migrate', asRunner))
    // What a pipeline waits for.
    await space.wait('configmap/status', 'create')
    await space.wait('configmap/status', 'jsonpath={.data.state}=succeeded')
    await space.wait('job/migrate', 'condition=Complete')
    const status = await statusOf(space)
    assert.equal(status.state, 'succeeded')
    assert.equal(status.version, exampleVersion)
    assert.deepEqual(Object.keys(status.applied).toSorted(), exampleNames)
    const records = recordsOf(await space.log('job/migrate'))
    assert.ok(records.some(({ checkpoint }) => checkpoint === 'published'))

    const again = await runOnce(space, pod('again', asRunner), 'again')
    assert.equal(again.exit, 0)
    assert.match(again.log, /nothing to do: \d+ files applied already/)

    const as = `--as=system:serviceaccount:${space.name}:runner`
    assert.match(await space.refused('create', 'configmap', 'status', as), /forbidden/)
    const env = { LOCKSTEP_STATUS: 'configmap/another' }
    const other = container({ image: images.example, env })
    const elsewhere = pod('other', { containers: [other], account: 'runner' })
    const { exit, log } = await runOnce(space, elsewhere, 'other')
    assert.equal(exit, 0)
    assert.match(log, /the status is not published: .* may not get configmap\/another in /)
  })

  for (const verb of ['get', 'create', 'patch']) {
    test(`check 7: without the verb ${verb} the run succeeds and says what is missing`, async () => {
      await using space = await freshSpace()
      const verbs = ['get', 'create', 'patch'].filter((one) => one !== verb)
      await space.apply(...serviceAccount('runner', verbs))
      const { exit, log } = await runOnce(space, pod('migrate', asRunner))
      assert.equal(exit, 0)
      // A run that has something to do looks, too, but says nothing as long as it can write.
      const found =
        verb === 'get' ? (await runOnce(space, pod('again', asRunner), 'again')).log : log
      const text = `the status is not published: .* may not ${verb} configmap/status in ${space.name}`
      assert.match(found, new RegExp(text))
    })
  }

  test('the largest documents fit, with all names and folded', async () => {
    await using space = await freshSpace()
    const name = 'status'
    const target = { kind: 'configmap', namespace: space.name, name } as const
    const kubeconfig = process.env['KUBECONFIG']
    const map = new StatusMap(target, { kubeconfig, isInside: false, home: undefined })
    const soon = AbortSignal.timeout(30_000)
    for (const [files, isFolded] of [
      [6_200, false],
      [20_000, true],
    ] as const) {
      const document = publishedOf(facts, coveredRows(files))
      const text = textOf(document)
      assert.equal(document.folded !== undefined, isFolded)
      if (!isFolded) assert.ok(text.length > 850_000 && text.length <= 900_000, `${text.length}`)
      await map.write(document, soon)
      assert.equal(await map.read(soon), text)
      const version = ['get', 'configmap/status', '-o', 'jsonpath={.data.version}']
      assert.equal(await space.kubectl(...version), `${files + 1}`)
    }
  })

  test('a token that the API no longer takes: a warning, and 75 where the status is required', async () => {
    await using space = await freshSpace()
    await space.apply(
      ...serviceAccount('runner', ['get', 'create', 'patch']),
      secret('bound', {}),
      configMap('sql', { '0001_a.sql': 'create table a ();' }),
    )
    const bound = ['--bound-object-kind=Secret', '--bound-object-name=bound']
    const token = (await space.kubectl('create', 'token', 'runner', ...bound)).trim()
    // With the object that it is bound to a token ends at once, and with its time only in ten minutes.
    await space.kubectl('delete', 'secret/bound')
    await space.apply(secret('token', { token }))
    const own = {
      name: 'token',
      projected: {
        sources: [
          { secret: { name: 'token' } },
          {
            configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] },
          },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    }
    const mounts = { '/sql': 'sql', '/var/run/secrets/kubernetes.io/serviceaccount': 'token' }
    const env = { ...published, LOCKSTEP_STATUS_REQUIRED: 'true' }
    const parts = (more: Record<string, string>) => ({
      containers: [container({ env: more, mounts })],
      volumes: [own],
    })
    const warned = await runOnce(space, pod('migrate', parts(published)))
    assert.equal(warned.exit, 0)
    assert.match(warned.log, /the status is not published: .*(401|Unauthorized)/)
    const required = await runOnce(space, pod('required', parts(env)), 'required')
    assert.equal(required.exit, 75)
    assert.match(
      recordsOf(required.log).at(-1)?.message ?? '',
      /^done STATUS_NOT_PUBLISHED, .* exit 75$/,
    )
  })

  test('a failed run: kubectl describe and the status tell the reason', async (t) => {
    await using space = await freshSpace()
    const sql = { '0001_a.sql': 'create table a ();', '0002_b.sql': 'select\n  * from nowhere;' }
    await space.apply(
      ...serviceAccount('runner', ['get', 'create', 'patch']),
      configMap('sql', sql),
      job('migrate', {
        containers: [container({ env: published, mounts: { '/sql': 'sql' } })],
        account: 'runner',
      }),
    )
    await space.wait('job/migrate', 'condition=Failed')
    const described = await space.kubectl('describe', 'pod', '-l', 'job-name=migrate')
    const [, message = ''] = /Message:\s+([^]*?)\n\s+Exit Code:/.exec(described) ?? []
    t.diagnostic(`kubectl describe pod, Message: ${message}`)
    assert.match(message, /0002_b\.sql:2:10 relation "nowhere" does not exist/)
    assert.match(message, /SQL_FAILED, a retry will not help, exit 1/)
    const data = await space.kubectl('get', 'configmap/status', '-o', 'jsonpath={.data}')
    const { state, version, error, reason }: Record<string, string> = JSON.parse(data)
    assert.deepEqual(
      { state, version, error },
      { state: 'failed', version: '0001', error: 'SQL_FAILED' },
    )
    assert.match(reason ?? '', /0002_b\.sql:2:10/)
    assert.doesNotMatch(data, /nowhere;|postgres|lockstep_test/)
  })
})
