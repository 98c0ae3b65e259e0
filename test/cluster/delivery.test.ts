import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { example } from '../support/example.ts'
import { noCluster } from '../support/kubectl.ts'
import { configMap, container, images, job, serviceAccount } from '../support/manifests.ts'
import { buildOwnImage } from '../support/own-image.ts'
import { freshSpace, statusOf } from '../support/space.ts'

const env = { LOCKSTEP_STATUS: 'configmap/status' }

describe('where the files come from', { skip: noCluster }, () => {
  test('check 18: files in an image of one’s own, in a ConfigMap and behind the links of git-sync are the same set', async () => {
    await using space = await freshSpace()
    await space.apply(
      ...serviceAccount('runner', ['get', 'create', 'patch']),
      configMap('sql', example),
    )
    const sets: string[] = []
    const fetch = `
      const tree = '/git/.worktrees/4d1f'
      fs.cpSync('/sql', tree + '/sql', { recursive: true, dereference: true })
      fs.symlinkSync('.worktrees/4d1f', '/git/current')`
    const fetches = container({
      name: 'git-sync',
      image: images.example,
      command: ['/nodejs/bin/node', '-e', fetch],
      mounts: { '/git': 'scratch' },
    })
    const linked = { ...env, LOCKSTEP_DIR: '/git/current/sql' }
    const fromGit = container({ env: linked, mounts: { '/git': 'scratch' } })
    for (const [name, parts] of [
      ['image', { containers: [container({ image: buildOwnImage(), env })] }],
      ['configmap', { containers: [container({ env, mounts: { '/sql': 'sql' } })] }],
      ['git', { containers: [fromGit], initContainers: [fetches] }],
    ] as const) {
      // Each must write its own.
      await space.kubectl('delete', 'configmap/status', '--ignore-not-found')
      await space.apply(job(name, { ...parts, account: 'runner' }))
      await space.wait(`job/${name}`, 'condition=Complete')
      sets.push((await statusOf(space)).set)
    }
    assert.match(sets[0] ?? '', /^[0-9a-f]{64}$/)
    assert.deepEqual(sets, [sets[0], sets[0], sets[0]])
  })

  // Kubernetes 1.35 has image volumes; containerd 1.6, which Debian has, cannot mount them.
  test('check 18: files in an image volume', { skip: 'the container runtime is too old for it' })
})
