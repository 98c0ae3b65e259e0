import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tell } from '../../src/events.ts'
import { Failure } from '../../src/failure.ts'
import { startApiServer, type ApiServer } from '../support/api-server.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { told } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'
import { runHere, startHere, type RunningHere } from '../support/here.ts'
import { rollOut } from '../support/rolled-out.ts'

const first = { '0001_people.sql': 'create table people (id int, old int, older int);' }
const second = {
  ...first,
  '0002_old.sql': '-- lockstep: after-rollout\nalter table people drop column old;',
  '0003_older.sql': '-- lockstep: after-rollout\nalter table people drop column older;',
}

/** A database with the release before, and a cluster. */
interface Place extends AsyncDisposable {
  readonly db: Database
  readonly api: ApiServer
  /** Begins the phase behind the rollout of release `new`. */
  start(env?: Readonly<Record<string, string>>, heard?: Tell): RunningHere
  applied(): Promise<readonly string[]>
}

async function place(): Promise<Place> {
  const db = await freshDatabase()
  const api = await startApiServer()
  const folder = folderOf(first)
  const where = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const { failure } = await runHere({ ...where, LOCKSTEP_PHASE: 'all' })
  assert.equal(failure, undefined)
  folder.write(second)
  return {
    db,
    api,
    start: (env = {}, heard = () => undefined) =>
      startHere(
        {
          ...where,
          KUBECONFIG: api.kubeconfig,
          LOCKSTEP_PHASE: 'after-rollout',
          LOCKSTEP_ROLLOUT: 'crm',
          LOCKSTEP_ROLLOUT_SET: 'new',
          ...env,
        },
        heard,
      ),
    applied: async () => {
      const rows = await db.sql<{ name: string }>('select name from lockstep.ledger order by id')
      return rows.map(({ name }) => name)
    },
    [Symbol.asyncDispose]: async () => {
      folder[Symbol.dispose]()
      await api[Symbol.asyncDispose]()
      await db[Symbol.asyncDispose]()
    },
  }
}

const all = Object.keys(second)
const none = Object.keys(first)
const one = all.slice(0, 2)

const looksOf = ({ asked }: ApiServer): number =>
  asked.filter(({ path }) => path.includes('/deployments/')).length

test('a rollout that is complete is looked at once more before each file', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new' })
  const { failure } = await here.start().ended
  assert.equal(failure, undefined)
  assert.deepEqual(await here.applied(), all)
  assert.equal(looksOf(here.api), 3)
})

test('with nothing to apply behind the rollout nobody asks the API server', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new' })
  await here.start().ended
  const before = here.api.asked.length
  assert.equal((await here.start().ended).failure, undefined)
  assert.equal(here.api.asked.length, before)
})

test('files wait for the last pod of another release, and what is missing is said', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new', pods: ['new', 'new', 'before', undefined] })
  const { failure, said } = await here.start({}, (event) => {
    if (event.checkpoint === 'waiting') rollOut(here.api, { set: 'new' })
  }).ended
  assert.equal(failure, undefined)
  assert.match(said, /for the rollout: pod\/crm-2 of deployment\/crm is still old/)
  assert.match(said, /pod\/crm-3 of deployment\/crm is still old/)
  assert.deepEqual(await here.applied(), all)
})

test('a rollout that does not end: ROLLOUT_WAIT_OVER, with all that is missing', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new', pods: ['new', 'before', 'before'] })
  const { failure } = await here.start({ LOCKSTEP_ROLLOUT_WAIT: '1s' }).ended
  assert.equal(failure?.code, 'ROLLOUT_WAIT_OVER')
  assert.match(
    told(failure),
    /^pod\/crm-1 of deployment\/crm is still old, after LOCKSTEP_ROLLOUT_WAIT \(1(\.\d)? s\)\npod\/crm-2 /,
  )
  assert.deepEqual(await here.applied(), none)
})

test('another release while it waits: ROLLOUT_REPLACED at once', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new', pods: ['new', 'before'] })
  const { failure } = await here.start({}, (event) => {
    if (event.checkpoint === 'waiting') rollOut(here.api, { set: 'before' })
  }).ended
  assert.equal(failure?.code, 'ROLLOUT_REPLACED')
  assert.match(failure.message, /^deployment\/crm is of release before, this one is new$/)
  assert.deepEqual(await here.applied(), none)
})

// A case: what is seen behind the first file.
for (const [what, rollout, reason] of [
  ['the Deployment', { set: 'before' }, /^deployment\/crm is of release before/],
  ['a pod', { set: 'new', pods: ['new', 'before'] }, /^pod\/crm-1 of deployment\/crm is of rel/],
] as const) {
  test(`${what} is of another release between two files: ROLLOUT_REPLACED, and the second is not applied`, async () => {
    await using here = await place()
    rollOut(here.api, { set: 'new' })
    const { failure } = await here.start({}, (event) => {
      if (event.checkpoint === 'applied') rollOut(here.api, rollout)
    }).ended
    assert.equal(failure?.code, 'ROLLOUT_REPLACED')
    assert.match(failure.message, reason)
    assert.deepEqual(await here.applied(), one)
  })
}

for (const [what, path, rule] of [
  ['the Deployment', '/deployments/', /resourceNames \["crm"\], verbs \["get"\]/],
  ['pods', '/pods?', /resources \["pods"\], verbs \["list"\]/],
] as const) {
  test(`${what} may not be looked at: ROLLOUT_UNSEEN at once, with the rule that is missing`, async () => {
    await using here = await place()
    rollOut(here.api, { set: 'new' })
    here.api.mischief = (asked) => (asked.path.includes(path) ? { status: 403 } : undefined)
    const { failure, said } = await here.start().ended
    assert.equal(failure?.code, 'ROLLOUT_UNSEEN')
    assert.match(told(failure), /^the account of this pod may not look at the rollout \(403\)$/m)
    assert.match(told(failure), rule)
    assert.doesNotMatch(said, /^waiting/m)
    assert.deepEqual(await here.applied(), none)
  })
}

test('no cluster that could be asked: ROLLOUT_UNSEEN', async () => {
  await using here = await place()
  const { failure } = await here.start({ KUBECONFIG: '/nowhere/config' }).ended
  assert.equal(failure?.code, 'ROLLOUT_UNSEEN')
  assert.match(failure.message, /the kubeconfig \/nowhere\/config cannot be read/)
  assert.deepEqual(await here.applied(), none)
})

test('the right is taken away between two files: ROLLOUT_UNSEEN, and the second is not applied', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new' })
  const { failure } = await here.start({}, (event) => {
    if (event.checkpoint === 'applied') here.api.mischief = () => ({ status: 403 })
  }).ended
  assert.equal(failure?.code, 'ROLLOUT_UNSEEN')
  assert.deepEqual(await here.applied(), one)
})

test('an API server that is out of order is waited for, and its answer is what is missing', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new' })
  here.api.mischief = () => ({ status: 503 })
  const { failure, said } = await here.start({}, (event) => {
    if (event.checkpoint === 'waiting') here.api.mischief = () => undefined
  }).ended
  assert.equal(failure, undefined)
  assert.match(said, /for the rollout: the API server answers 503/)
  assert.deepEqual(await here.applied(), all)
})

test('an API server that is out of order between two files is asked again, for ten seconds', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'new' })
  let left = 2
  const { failure } = await here.start({}, (event) => {
    if (event.checkpoint !== 'applied') return
    here.api.mischief = () => {
      left -= 1
      return left < 0 ? undefined : { status: 503 }
    }
  }).ended
  assert.equal(failure, undefined)
  assert.deepEqual(await here.applied(), all)

  await using other = await place()
  rollOut(other.api, { set: 'new' })
  const { failure: over, said } = await other.start({}, (event) => {
    if (event.checkpoint === 'applied') other.api.mischief = () => 'silent'
  }).ended
  assert.equal(over?.code, 'ROLLOUT_WAIT_OVER')
  assert.match(over.message, /^the rollout cannot be looked at any more: .* has not answered/)
  assert.match(said, /applied 0002_old\.sql/)
  assert.deepEqual(await other.applied(), one)
})

test('a run that is stopped while it waits for the rollout ends with the reason of the stop', async () => {
  await using here = await place()
  rollOut(here.api, { set: 'before' })
  const stop = new Failure('INTERRUPTED', 'SIGTERM')
  const run = here.start({}, (event) => {
    if (event.checkpoint === 'waiting') run.stop(stop)
  })
  assert.equal((await run.ended).failure, stop)
  assert.deepEqual(await here.applied(), none)
})

test('a run that is stopped while the API server keeps silent does not wait for it', async () => {
  await using here = await place()
  const stop = new Failure('INTERRUPTED', 'SIGTERM')
  let stoppedMs = Number.POSITIVE_INFINITY
  const run = here.start({ LOCKSTEP_ROLLOUT_WAIT: '1ms' })
  here.api.mischief = () => {
    stoppedMs = performance.now()
    run.stop(stop)
    return 'silent'
  }
  assert.equal((await run.ended).failure, stop)
  assert.ok(performance.now() - stoppedMs < 4000, 'a look takes five seconds')
})
