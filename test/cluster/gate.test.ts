import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { example, exampleVersion } from '../support/example.ts'
import { noCluster } from '../support/kubectl.ts'
import { serviceAccount, configMap, container, images, job, pod } from '../support/manifests.ts'
import { withClient } from '../support/database.ts'
import { endOf, freshSpace, recordsOf, statusOf, type Space } from '../support/space.ts'

const env = { LOCKSTEP_STATUS: 'configmap/status' }
/** The Job that publishes, and pods that look. */
const accounts = [
  ...serviceAccount('runner', ['get', 'create', 'patch']),
  ...serviceAccount('gate', ['get']),
]

function migration(image = images.example, mounts: Record<string, string> = {}) {
  return { containers: [container({ image, env, mounts })], account: 'runner' }
}

/** A gate that is not restarted, so that its exit can be seen; by default without an address. */
function gate(
  name: string,
  { args = ['wait'], secret = 'none', ...more }: Partial<Parameters<typeof container>[0]> = {},
) {
  const one = container({ image: images.example, args, secret, env, ...more })
  return pod(name, { containers: [one], account: 'gate' })
}

/** The same address, another database. */
async function emptied({ db }: Space): Promise<void> {
  await withClient(process.env['TEST_DATABASE_URL'] ?? '', async (admin) => {
    await admin.unsafe(`drop database ${db.name} with (force)`)
    await admin.unsafe(`create database ${db.name} owner ${new URL(db.url).username}`)
  })
}

async function endedGate(space: Space, name: string) {
  await space.ended(`pod/${name}`)
  const [found] = await space.pods(`app=${name}`)
  const log = await space.log(`pod/${name}`)
  return { exit: endOf(found)?.exitCode, message: endOf(found)?.message ?? '', log }
}

describe('the gate', { skip: noCluster, concurrency: 3 }, () => {
  test('pods wait at the gate, asking the status, the database, or for a version, until the Job is done', async () => {
    await using space = await freshSpace()
    const args = ['wait', '--version', exampleVersion]
    await space.apply(
      ...accounts,
      gate('status'),
      gate('database', { secret: 'database' }),
      gate('version', { image: images.plain, args }),
    )
    const names = ['status', 'database', 'version']
    for (const name of names) await space.says(`pod/${name}`, '"checkpoint":"waiting"')
    await space.apply(job('migrate', migration()))
    for (const name of names) {
      const { exit, log } = await endedGate(space, name)
      assert.equal(exit, 0, log)
      assert.match(recordsOf(log).at(-1)?.message ?? '', /^done ready: .* exit 0$/)
    }
  })

  test('check 10: an image that is rolled back finds the schema ahead, and starts', async () => {
    await using space = await freshSpace()
    const older = Object.fromEntries(Object.entries(example).filter(([name]) => name < '0003'))
    await space.apply(...accounts, configMap('sql', older), job('migrate', migration()))
    await space.wait('job/migrate', 'condition=Complete')
    const mounts = { '/sql': 'sql' }
    await space.apply(gate('older', { image: images.plain, mounts }))
    const { exit, log } = await endedGate(space, 'older')
    assert.equal(exit, 0, log)
    assert.match(log, /ahead/)
    // The hook of the release before runs, too.
    await space.apply(job('older', migration(images.plain, mounts)))
    await space.wait('job/older', 'condition=Complete')
    assert.equal((await statusOf(space)).version, exampleVersion)
  })

  test('check 11: a failed run ends the gates that wait for it, with its reason', async () => {
    await using space = await freshSpace()
    const broken = { '0001_a.sql': 'create table a ();', '0002_b.sql': 'select * from nowhere;' }
    const mounts = { '/sql': 'sql' }
    await space.apply(...accounts, configMap('sql', broken))
    await space.apply(gate('waits', { image: images.plain, mounts }))
    await space.says('pod/waits', '"checkpoint":"waiting"')
    await space.apply(job('migrate', migration(images.plain, mounts)))
    await space.wait('job/migrate', 'condition=Failed')
    const { exit, log, message } = await endedGate(space, 'waits')
    assert.equal(exit, 1)
    for (const text of [log, message]) assert.match(text, /0002_b\.sql:1:15/)
  })

  test('check 12: a gate reads a mounted file, without a token and without a Role', async (t) => {
    await using space = await freshSpace()
    await space.apply(...accounts)
    const fromFile = container({
      image: images.example,
      args: ['wait', '--from', 'file'],
      env: { LOCKSTEP_STATUS: 'file:/lockstep/status.json' },
      mounts: { '/lockstep': 'status' },
      secret: 'none',
    })
    await space.apply(pod('mounted', { containers: [fromFile] }))
    await space.says('pod/mounted', '"checkpoint":"waiting"')
    await space.apply(job('migrate', migration()))
    await space.wait('job/migrate', 'condition=Complete')
    const begunMs = performance.now()
    const { exit, log } = await endedGate(space, 'mounted')
    assert.equal(exit, 0, log)
    const seconds = ((performance.now() - begunMs) / 1000).toFixed(1)
    t.diagnostic(`check 12: ${seconds} s from the end of the Job to the open gate (sync of 5 s)`)
  })

  test('check 14: a status of a database that is gone opens no gate; the next run mends it', async () => {
    await using space = await freshSpace()
    await space.apply(...accounts, job('migrate', migration()))
    await space.wait('job/migrate', 'condition=Complete')
    const { database } = await statusOf(space)
    await emptied(space)
    const args = ['wait', '--from', 'configmap']
    await space.apply(gate('careful', { args, secret: 'database' }))
    const waiting = await space.says('pod/careful', '"checkpoint":"waiting"')
    assert.match(waiting, /another database|database/)
    await space.apply(job('again', migration()))
    await space.wait('job/again', 'condition=Complete')
    const { exit } = await endedGate(space, 'careful')
    assert.equal(exit, 0)
    assert.notEqual((await statusOf(space)).database, database)
  })

  test('a gate whose Role lacks the verb, or whose status has another name, says so', async () => {
    await using space = await freshSpace()
    await space.apply(...accounts, ...serviceAccount('powerless', ['patch']))
    const short = { ...env, LOCKSTEP_GATE_WAIT: '2s' }
    const named = container({ image: images.example, args: ['wait'], secret: 'none', env: short })
    await space.apply(
      pod('powerless', { containers: [named], account: 'powerless' }),
      pod('tokenless', { containers: [named] }),
      gate('absent', { env: short }),
    )
    const powerless = await endedGate(space, 'powerless')
    assert.equal(powerless.exit, 64)
    assert.match(powerless.log, /verbs?:? .*get/)
    const tokenless = await endedGate(space, 'tokenless')
    assert.equal(tokenless.exit, 64)
    assert.match(tokenless.log, /token/)
    const absent = await endedGate(space, 'absent')
    assert.equal(absent.exit, 75)
    assert.match(absent.log, /configmap\/status/)
  })
})
