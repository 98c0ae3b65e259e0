import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { exampleVersion } from '../../support/example.ts'
import { noCluster, until } from '../../support/kubectl.ts'
import {
  serviceAccount,
  container,
  images,
  job,
  secret,
  serviceTo,
} from '../../support/manifests.ts'
import { startReachable } from '../../support/reachable.ts'
import { freshSpace, recordsOf, statusOf, urlInPod } from '../../support/space.ts'
import { withClient } from '../../support/database.ts'

/** The script that started the cluster; a cluster that was given is not tampered with. */
const script = process.env['TEST_CLUSTER_SCRIPT']
const skip =
  noCluster || (script === undefined && 'the API server of a given cluster is left alone')

const env = { LOCKSTEP_STATUS: 'configmap/status', LOCKSTEP_CONNECT_WAIT: '3m' }
const parts = { containers: [container({ image: images.example, env })], account: 'runner' }

test(
  'the API server is down for the whole run: it succeeds and warns, the next one mends the status',
  { skip },
  async () => {
    await using space = await freshSpace()
    await using server = await startReachable()
    await server.stop()
    const address = process.env['TEST_CLUSTER_MACHINE'] ?? ''
    await space.apply(
      ...serviceAccount('runner', ['get', 'create', 'patch']),
      ...serviceTo('late', address, server.port),
      secret('database', { DATABASE_URL: urlInPod(server.url, 'late') }),
      job('migrate', parts),
    )
    await space.says('job/migrate', '"checkpoint":"waiting"')
    execFileSync(script ?? '', ['stop-api'])
    try {
      await server.start()
      await withClient(server.url, async (client) => {
        const look = async (text: string): Promise<unknown> => (await client.unsafe(text))[0]
        await until('a ledger', () => look(`select from pg_class where relname = 'ledger'`))
        await until('the end of the run', async () => {
          const session = `select from pg_stat_activity where application_name like 'lockstep/%'`
          return (await look(session)) === undefined ? true : undefined
        })
      })
    } finally {
      execFileSync(script ?? '', ['start-api'], { stdio: 'ignore' })
    }
    await space.wait('job/migrate', 'condition=Complete', 120)
    const log = await space.log('job/migrate')
    assert.match(log, /the status is not published: /)
    assert.match(recordsOf(log).at(-1)?.message ?? '', /^done \d+ files .* exit 0$/)
    assert.match(await space.refused('get', 'configmap/status'), /not found/)

    await space.apply(job('again', parts))
    await space.wait('job/again', 'condition=Complete')
    const { state, version } = await statusOf(space)
    assert.deepEqual({ state, version }, { state: 'succeeded', version: exampleVersion })
  },
)
