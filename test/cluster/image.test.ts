import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { noCluster } from '../support/kubectl.ts'
import { container, images, pod } from '../support/manifests.ts'
import { endOf, freshSpace, recordsOf } from '../support/space.ts'

/** The archive that `make image` writes: configuration and layers. */
const archive = join(process.env['CLUSTER_HOME'] ?? '', 'lockstep.tar')

interface Config {
  readonly config: {
    readonly User: string
    readonly WorkingDir: string
    readonly Entrypoint: readonly string[]
    readonly Cmd?: readonly string[]
    readonly Labels: Readonly<Record<string, string>>
  }
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

function member(name: string): Buffer {
  const options = { maxBuffer: 2 ** 30 }
  const { stdout, status } = spawnSync('tar', ['-xOf', archive, name], options)
  assert.equal(status, 0)
  return stdout
}

function readArchive(): { config: Config; layers: readonly string[] } {
  const [entry]: { Config: string; Layers: string[] }[] = JSON.parse(
    member('manifest.json').toString(),
  )
  const config: Config = JSON.parse(member(entry?.Config ?? '').toString())
  return { config, layers: entry?.Layers ?? [] }
}

/** The socket of the cluster's own containerd. */
const socket = join(process.env['CLUSTER_HOME'] ?? '', 'run', 'containerd.sock')

describe('image', { skip: noCluster, concurrency: 3 }, () => {
  test('image: 65532, no shell in its start, labels, and at most 5 MB beside the base', (t) => {
    const { config, layers } = readArchive()
    assert.equal(config.config.User, '65532:65532')
    assert.equal(config.config.WorkingDir, '/')
    assert.deepEqual(config.config.Entrypoint, ['/nodejs/bin/node', '/opt/lockstep/lockstep.mjs'])
    assert.equal(config.config.Cmd?.length ?? 0, 0)
    const labels = Object.keys(config.config.Labels)
    for (const name of ['title', 'description', 'licenses', 'version', 'revision'])
      assert.ok(labels.includes(`org.opencontainers.image.${name}`), name)
    // Of a stand-in the base is one layer; the layers of ours are those that hold no Node.
    const ours = layers.map(member).filter((layer) => layer.length < 50 * 2 ** 20)
    const bytes = ours.reduce((sum, layer) => sum + layer.length, 0)
    t.diagnostic(`the image holds ${(bytes / 1e6).toFixed(2)} MB beside its base`)
    assert.ok(bytes > 0.5e6 && bytes <= 5e6, `${bytes} bytes`)
  })

  test('image: without SQL a run ends with 64 and says to mount or to COPY it', async () => {
    await using space = await freshSpace()
    await space.apply(pod('empty', { containers: [container({})] }))
    await space.wait('pod/empty', 'jsonpath={.status.phase}=Failed')
    const [found] = await space.pods('app=empty')
    assert.equal(endOf(found)?.exitCode, 64)
    const log = await space.log('pod/empty')
    assert.match(log, /the folder sql holds no SQL file to apply: it is empty/)
    assert.match(log, /mount your SQL files there or COPY them into your image/)
    assert.match(recordsOf(log).at(-1)?.message ?? '', /^done FOLDER_EMPTY, .* exit 64$/)
  })

  test(
    'without a cluster: a plain container with the files mounted, then again',
    { skip: !existsSync(socket) && 'the container runtime of a given cluster is left alone' },
    async () => {
      await using db = await freshDatabase()
      const sql = join(import.meta.dirname, '..', '..', 'sql')
      const run = (id: string) => {
        const mount = `type=bind,src=${sql},dst=/sql,options=rbind:ro`
        const words = ['--rm', '--net-host', '--read-only', '--mount', mount]
        const env = ['--env', `DATABASE_URL=${db.url}`]
        const args = ['-a', socket, '-n', 'k8s.io', 'run', ...words, ...env, images.plain, id]
        return spawnSync('ctr', args, { encoding: 'utf8', timeout: 60_000 })
      }
      const first = run(`${db.name}-1`)
      assert.equal(first.status, 0, first.stderr)
      // Readable lines, since nothing says that this is a cluster.
      assert.match(first.stdout, /^start {6}lockstep [^]*\ndone {7}\d+ files .* exit 0\n$/)
      assert.match(run(`${db.name}-2`).stdout, /\ndone {7}nothing to do: \d+ files .* exit 0\n$/)
    },
  )

  test('check 15: restricted namespace: 65532, read-only root, no token', async () => {
    await using space = await freshSpace()
    const look = `
      const fs = require('fs')
      const can = (act) => { try { act(); return 'yes' } catch (error) { return error.code } }
      console.log(JSON.stringify({
        uid: process.getuid(),
        gid: process.getgid(),
        write: can(() => fs.writeFileSync('/probe', '')),
        tmp: can(() => fs.writeFileSync('/tmp/probe', '')),
        token: fs.existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token'),
        shell: ['/bin/sh', '/bin/bash', '/busybox/sh'].filter((path) => fs.existsSync(path)),
      }))`
    const parts = { image: images.example, command: ['/nodejs/bin/node', '-e', look] }
    await space.apply(
      pod('look', { containers: [container({ ...parts })] }),
      pod('run', { containers: [container({ image: images.example })] }),
    )
    await space.wait('pod/look', 'jsonpath={.status.phase}=Succeeded')
    assert.deepEqual(JSON.parse(await space.log('pod/look')), {
      uid: 65532,
      gid: 65532,
      write: 'EROFS',
      tmp: 'EROFS',
      token: false,
      shell: [],
    })
    await space.wait('pod/run', 'jsonpath={.status.phase}=Succeeded')
    const said = await space.refused('run', 'plain', `--image=${images.plain}`)
    assert.match(said, /violates PodSecurity "restricted:latest"/)
  })
})
