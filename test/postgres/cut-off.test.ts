import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { runHere, startHere } from '../support/here.ts'
import { proxyTo } from '../support/proxy.ts'
import { randomOf, testSeed, type Random } from '../support/random.ts'

const rounds = Number(process.env['LOCKSTEP_TEST_CUTS'] ?? '8')
const seed = testSeed(Date.now() % 2 ** 31)

/** Tables of a round, and a file with statements of both sorts, each of which shows whether it ran once. */
function setupOf(s: string): string {
  return `create schema ${s}; set search_path = ${s};
    create table journal (step int);
    create table leads (id int, email text); insert into leads select n, n from generate_series(1, 500) as n;
    create index old_index on leads (id);
    create table parent (id int) partition by range (id);
    create table part partition of parent for values from (0) to (10);
    reset search_path`
}

function fileOf(s: string): string {
  return `-- lockstep: no-transaction
    set search_path = ${s};
    insert into journal values (1);
    create unique index concurrently leads_id on leads (id) include (email);
    insert into journal values (2);
    create index concurrently on leads (lower(email));
    drop index concurrently old_index;
    insert into journal values (3);
    alter table parent detach partition part concurrently;
    vacuum leads;
    reindex table concurrently leads;
    insert into journal values (4);`
}

async function assertEachOnce(db: Database, s: string, where: string): Promise<void> {
  const steps = await db.sql<{ step: number }>(`select step from ${s}.journal order by step`)
  assert.deepEqual(
    steps.map(({ step }) => step),
    [1, 2, 3, 4],
    where,
  )
  const indexes = await db.sql<{ name: string }>(`
    select relname || case when indisvalid then '' else ' INVALID' end as name
    from pg_index join pg_class c on c.oid = indexrelid
    where relnamespace = '${s}'::regnamespace order by 1`)
  assert.deepEqual(
    indexes.map(({ name }) => name),
    ['leads_id', 'leads_lower_idx'],
    where,
  )
  const parted = await db.sql(`select from pg_inherits where inhparent = '${s}.parent'::regclass`)
  assert.deepEqual(parted, [], where)
  const rows = await db.sql(`select name from ledger_${s}.ledger`)
  assert.deepEqual(rows, [{ name: '0001_a.sql' }], where)
  assert.deepEqual(await db.sql(`select * from ledger_${s}.step`), [], where)
}

/** How a round is disturbed: the connection is cut at messages, or the backend killed at moments. */
async function disturbed(
  db: Database,
  dir: string,
  env: Readonly<Record<string, string>>,
  random: Random,
  typical: { messages: number; ms: number },
): Promise<{ said: string; how: string }> {
  let seen = 0
  const cuts = new Set([random.below(typical.messages), random.below(typical.messages * 2)])
  const isByMessage = random.oneIn(2)
  await using proxy = await proxyTo(db.url, ({ from, number }) => {
    if (from === 'server') seen = Math.max(seen, number)
    if (!isByMessage || from !== 'server' || !cuts.has(number)) return 'pass'
    return random.oneIn(2) ? 'cut' : 'half'
  })
  const begunMs = performance.now()
  const running = startHere({ DATABASE_URL: proxy.url, LOCKSTEP_DIR: dir, ...env })
  const over = new AbortController()
  const ended = running.ended.finally(() => over.abort())
  const kills = isByMessage ? [] : [random.fraction(), random.fraction() * 2]
  for (const kill of kills.toSorted((a, b) => a - b)) {
    // The moment is the point of the test: it waits by the clock, and polls so as to be exact.
    while (performance.now() - begunMs < kill * typical.ms && !over.signal.aborted)
      await new Promise(setImmediate)
    await db.sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'lockstep/${running.id}/test'`)
  }
  const { failure, said } = await ended
  if (failure === undefined && !said.includes('lost ')) {
    typical.messages = seen
    typical.ms = performance.now() - begunMs
  }
  const how = isByMessage ? `cut at messages ${[...cuts].join(', ')}` : `killed ${kills.join(', ')}`
  return { said, how }
}

test(
  `a run that is cut off anywhere, twice: each statement is done once (${rounds} rounds, seed ${seed})`,
  { timeout: 1_800_000 },
  async () => {
    const random = randomOf(seed)
    await using db = await freshDatabase()
    const typical = { messages: 150, ms: 300 }
    let struck = 0
    let resumed = 0
    for (let round = 0; round < rounds; round += 1) {
      const s = `r${round}`
      await db.sql(setupOf(s))
      using folder = folderOf({ '0001_a.sql': fileOf(s) })
      const env = {
        LOCKSTEP_SCHEMA: `ledger_${s}`,
        LOCKSTEP_BASELINE: 'ignore',
        LOCKSTEP_CONNECT_WAIT: '20s',
      }
      const { said, how } = await disturbed(db, folder.path, env, random, typical)
      const again = await runHere({ DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, ...env })
      const where = `round ${round} of seed ${seed}, ${how}\n${said}\nthen\n${again.said}`
      assert.equal(again.failure, undefined, where)
      await assertEachOnce(db, s, where)
      if (said.includes('lost ')) struck += 1
      if (`${said}${again.said}`.includes('is half done')) resumed += 1
      await db.sql(
        `set client_min_messages = error; drop schema ${s} cascade; drop schema ledger_${s} cascade`,
      )
    }
    console.log(`# ${struck} of ${rounds} runs were struck, ${resumed} inside of the file`)
    assert.ok(
      resumed >= Math.floor(rounds / 8),
      `only ${resumed} of ${rounds} were struck inside of the file`,
    )
  },
)
