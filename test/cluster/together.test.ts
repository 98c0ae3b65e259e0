import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { exampleNames } from '../support/example.ts'
import { noCluster } from '../support/kubectl.ts'
import { container, images, job, pod, secret } from '../support/manifests.ts'
import { endOf, freshSpace, urlInPod } from '../support/space.ts'

describe('several at once', { skip: noCluster, concurrency: 3 }, () => {
  test('check 6: a Job and five pods that migrate in an initContainer: one applies, the others find it done', async () => {
    await using space = await freshSpace()
    const migrates = container({ image: images.example })
    const app = { name: 'app', command: ['/nodejs/bin/node', '-e', ''] }
    const backends = [1, 2, 3, 4, 5].map((number) =>
      pod(`backend-${number}`, { initContainers: [migrates], containers: [container(app)] }),
    )
    await space.apply(job('migrate', { containers: [migrates] }), ...backends)
    await space.wait('job/migrate', 'condition=Complete', 90)
    const names = backends.map((_, index) => `pod/backend-${index + 1}`)
    for (const name of names) await space.wait(name, 'jsonpath={.status.phase}=Succeeded')
    const logs = await Promise.all(['job/migrate', ...names].map((name) => space.log(name)))
    const worked = logs.filter((log) => log.includes('"checkpoint":"applied"'))
    assert.equal(worked.length, 1)
    for (const log of logs.filter((one) => !worked.includes(one)))
      assert.match(log, /done nothing to do: \d+ files applied already/)
    const [rows] = await space.db.sql(`select count(*)::int, count(distinct name)::int as names
      from lockstep.ledger`)
    assert.deepEqual(rows, { count: exampleNames.length, names: exampleNames.length })
  })

  test('check 16: the database is reached through a native sidecar, and the Job completes', async () => {
    await using space = await freshSpace()
    const forward = `
      const net = require('net')
      const { hostname, port } = new URL(process.env.DATABASE_URL)
      net.createServer((from) => {
        const to = net.connect(port, hostname)
        from.pipe(to).pipe(from)
        for (const socket of [from, to]) socket.on('error', () => { from.destroy(); to.destroy() })
      }).listen(5432, '127.0.0.1')
      process.on('SIGTERM', () => process.exit(0))`
    const sidecar = container({
      name: 'proxy',
      command: ['/nodejs/bin/node', '-e', forward],
      isSidecar: true,
    })
    await space.apply(
      secret('local', { DATABASE_URL: urlInPod(space.db.url, '127.0.0.1') }),
      job('migrate', {
        initContainers: [sidecar],
        containers: [container({ image: images.example, secret: 'local' })],
      }),
    )
    await space.wait('job/migrate', 'condition=Complete')
    const [found] = await space.pods('job-name=migrate')
    assert.equal(endOf(found)?.exitCode, 0)
    assert.match(await space.log('job/migrate'), /database 127\.0\.0\.1:5432\//)
  })
})
