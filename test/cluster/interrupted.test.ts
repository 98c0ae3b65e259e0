import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noCluster, until } from '../support/kubectl.ts'
import { configMap, container, job, pod, type Manifest } from '../support/manifests.ts'
import { endOf, freshSpace, recordsOf, type Space } from '../support/space.ts'

/** The second file takes as long as it is let; how often it was begun stays in a sequence. */
const slowly = {
  '0001_tries.sql': 'create sequence tries;',
  '0002_slow.sql': `create table done_once ();
    select pg_sleep(case when nextval('tries') = 1 then 600 else 0 end);`,
}
const mounted = container({ mounts: { '/sql': 'sql' }, env: { LOCKSTEP_HEARTBEAT: '1s' } })

async function startSlowly(space: Space, work: Manifest): Promise<void> {
  await space.apply(configMap('sql', slowly), work)
  await space.says(work['kind'] === 'Job' ? 'job/migrate' : 'pod/migrate', 'running 0002_slow.sql')
}

async function applied(space: Space): Promise<string[]> {
  const rows = await space.db.sql<{ name: string }>(`select name from lockstep.ledger order by id`)
  return rows.map(({ name }) => name)
}

/** Nobody holds the lock or runs anything in the space's database. */
async function sessions(space: Space): Promise<number> {
  const rows = await space.db.superuser(`select 1 from pg_stat_activity
    where datname = current_database() and application_name like 'lockstep/%'`)
  return rows.length
}

describe('interrupted', { skip: noCluster, concurrency: 3 }, () => {
  test('check 5: evicted through the API in the middle of a file: rolled back, replaced, not counted', async () => {
    await using space = await freshSpace()
    await startSlowly(space, job('migrate', { containers: [mounted] }, { backoffLimit: 0 }))
    const [first] = await space.pods('job-name=migrate')
    const name = first?.metadata.name ?? ''
    const { ended } = await space.follow(name)
    await space.evict(name)
    const log = await ended
    assert.match(recordsOf(log).at(-1)?.message ?? '', /^done INTERRUPTED, .* exit 75$/)
    await space.wait('job/migrate', 'condition=Complete')
    const status = await space.kubectl('get', 'job/migrate', '-o', 'jsonpath={.status}')
    const { failed = 0, succeeded }: { failed?: number; succeeded: number } = JSON.parse(status)
    assert.deepEqual({ failed, succeeded }, { failed: 0, succeeded: 1 })
    assert.deepEqual(await applied(space), Object.keys(slowly))
    const [row] = await space.db.sql(`select last_value from tries`)
    assert.deepEqual(row, { last_value: '2' })
    assert.equal(await sessions(space), 0)
  })

  test('SIGTERM as process 1: 75 long before its grace is over, and nothing of the file is left', async () => {
    await using space = await freshSpace()
    await startSlowly(space, pod('migrate', { containers: [mounted] }))
    const { ended } = await space.follow('pod/migrate')
    const begunMs = performance.now()
    await space.kubectl('delete', 'pod/migrate', '--grace-period=30', '--wait=false')
    const log = await ended
    assert.ok(performance.now() - begunMs < 10_000)
    assert.match(log, /stopped by SIGTERM/)
    assert.match(recordsOf(log).at(-1)?.message ?? '', /^done INTERRUPTED, .* exit 75$/)
    assert.deepEqual(await applied(space), ['0001_tries.sql'])
    assert.equal(await sessions(space), 0)
  })

  test('the runner is killed for its memory in the middle of a file: the next pod goes on', async () => {
    await using space = await freshSpace()
    // The first time the server sends more than the container may hold.
    const greedy = {
      '0001_tries.sql': 'create sequence tries;',
      '0002_greedy.sql': `create table done_once ();
        select repeat('x', case when nextval('tries') = 1 then 400000000 else 1 end);`,
    }
    const small = container({ mounts: { '/sql': 'sql' }, memory: '128Mi' })
    await space.apply(configMap('sql', greedy), job('migrate', { containers: [small] }))
    await space.wait('job/migrate', 'condition=Complete', 120)
    const pods = await space.pods('job-name=migrate')
    const ends = pods.map((one) => `${endOf(one)?.reason} ${endOf(one)?.exitCode}`)
    assert.deepEqual(ends.toSorted(), ['Completed 0', 'OOMKilled 137'])
    assert.deepEqual(await applied(space), Object.keys(greedy))
  })

  test('check 20: the Job is deleted in the middle and made again: exact, and the log ends with the summary', async () => {
    await using space = await freshSpace()
    await startSlowly(space, job('migrate', { containers: [mounted] }))
    // What Helm does with the hook of the release before.
    await space.kubectl('delete', 'job/migrate', '--cascade=background')
    await space.apply(job('migrate', { containers: [mounted] }))
    await space.wait('job/migrate', 'condition=Complete')
    assert.deepEqual(await applied(space), Object.keys(slowly))
    const log = await space.log('job/migrate')
    assert.ok(log.length < 16_384)
    assert.match(recordsOf(log).at(-1)?.message ?? '', /^done .* exit 0$/)
    assert.equal(await sessions(space), 0)
  })

  test('check 20: CREATE INDEX CONCURRENTLY is interrupted: the next run says so, mends it and goes on', async () => {
    await using space = await freshSpace()
    await space.db.sql(`create table big (n int)`)
    const sql = {
      '0001_big.sql': 'insert into big select generate_series(1, 1000);',
      '0002_index.sql': '-- lockstep: no-transaction\ncreate index concurrently big_n on big (n);',
    }
    const env = { LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_HEARTBEAT: '1s' }
    const one = container({ mounts: { '/sql': 'sql' }, env })
    // A transaction that the index waits for.
    await space.db.sql(`begin; lock table big in row exclusive mode`)
    await space.apply(configMap('sql', sql), job('migrate', { containers: [one] }))
    await until('an index that is being built', async () => {
      const progress = `select from pg_stat_progress_create_index where datname = current_database()`
      return (await space.db.superuser(progress))[0]
    })
    const [first] = await space.pods('job-name=migrate')
    await space.evict(first?.metadata.name ?? '')
    await until('the second pod', async () => {
      const pods = await space.pods('job-name=migrate')
      return pods.find(({ metadata }) => metadata.name !== first?.metadata.name)
    })
    await space.db.sql('rollback')
    await space.wait('job/migrate', 'condition=Complete', 90)
    assert.match(await space.log('job/migrate'), /big_n/)
    const valid = await space.db.sql(
      `select indisvalid from pg_index where indrelid = 'big'::regclass`,
    )
    assert.deepEqual(valid, [{ indisvalid: true }])
  })
})
