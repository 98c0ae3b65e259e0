import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { exampleNames } from '../support/example.ts'
import { kubectl, noCluster } from '../support/kubectl.ts'
import { images, secret } from '../support/manifests.ts'
import { endOf, freshSpace, statusOf, urlInPod, type Space } from '../support/space.ts'

const k8s = join(import.meta.dirname, '..', '..', 'k8s')

describe('the plain manifests', { skip: noCluster, concurrency: 2 }, () => {
  test('k8s: the Job migrates, the pods of the backend wait at the gate and start', async () => {
    await using space = await freshSpace()
    await applyAll(space)
    await space.wait('job/crm-lockstep-migrate', 'condition=Complete')
    await space.wait('deployment/crm', 'condition=Available')
    assert.equal((await statusOf(space, 'crm-lockstep')).state, 'succeeded')
    const pods = await space.pods('app.kubernetes.io/component=backend')
    assert.deepEqual(
      pods.map((one) => endOf(one, 'lockstep-gate')?.exitCode),
      [0, 0],
    )
  })

  test('k8s/once.yaml: a Job with other arguments: status, adopt, a phase', async () => {
    await using space = await freshSpace()
    await applyAll(space)
    await space.wait('job/crm-lockstep-migrate', 'condition=Complete')
    const last = exampleNames.at(-1) ?? ''
    assert.match(await once(space, ['status']), new RegExp(last))
    const adopt = ['adopt', '--file', last, '--yes']
    assert.match(await once(space, adopt), /exit 0/)
    assert.match(await once(space, ['migrate', '--phase', 'after-rollout']), /nothing to do/)
  })
})

/** `kubectl apply -k k8s`, with the namespace and the images of the tests. */
async function applyAll(space: Space): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-k8s-'))
  try {
    symlinkSync(k8s, join(folder, 'base'))
    const image = /^(.+):(.+)$/.exec(images.example)
    const to = (name: string) => ({ name, newName: image?.[1], newTag: image?.[2] })
    writeFileSync(
      join(folder, 'kustomization.yaml'),
      JSON.stringify({
        namespace: space.name,
        resources: ['base'],
        images: [to('crm-migrations'), to('crm-backend')],
      }),
    )
    await space.apply(secret('crm-database', { DATABASE_URL: urlInPod(space.db.url) }))
    await kubectl(['apply', '-k', folder])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs k8s/once.yaml with these arguments, and returns what it said. */
async function once(space: Space, args: readonly string[]): Promise<string> {
  const text = readFileSync(join(k8s, 'once.yaml'), 'utf8')
    .replaceAll('namespace: shop', `namespace: ${space.name}`)
    .replace('"crm-migrations:0.1.0"', JSON.stringify(images.example))
    .replace('args: ["status"]', `args: ${JSON.stringify(args)}`)
  await kubectl(['create', '-f', '-'], text)
  await space.wait('job/crm-lockstep-once', 'condition=Complete')
  const log = await space.log('job/crm-lockstep-once')
  await space.kubectl('delete', 'job/crm-lockstep-once')
  return log
}
