import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freshDatabase, type Database } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { startProgram } from '../support/program.ts'

function nameOf(index: number): string {
  return `${String(index + 1).padStart(4, '0')}_a_file_with_a_rather_long_name_so_that_lines_are_long.sql`
}

function manyFiles(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [nameOf(index), 'select 1;']),
  )
}

async function applied(db: Database): Promise<number> {
  const [row] = await db.sql<{ count: number }>('select count(*)::int from lockstep.ledger')
  return row?.count ?? 0
}

for (const format of ['json', 'pretty'] as const) {
  test(`${format}: a reader that goes away after the first line does not end a run`, async () => {
    await using db = await freshDatabase()
    using folder = folderOf(manyFiles(50))
    const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_LOG_FORMAT: format }
    const running = startProgram({ env, form: 'bundle' })
    await running.says('start')
    running.child.stdout?.destroy()
    const { exit, stderr } = await running.ran
    assert.equal(exit, 0)
    assert.equal(stderr, '')
    assert.equal(await applied(db), 50)
  })

  test(`${format}: a reader that stalls gets every line in the end`, async () => {
    await using db = await freshDatabase()
    const count = 2_500
    using folder = folderOf(manyFiles(count))
    const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_LOG_FORMAT: format }
    const running = startProgram({ env, form: 'bundle', withinMs: 60_000 })
    await running.says('applied')
    running.child.stdout?.pause()
    await assertStands(db)
    // It waits, so that what a kill would cut off has not been done either.
    assert.ok((await applied(db)) < count)
    running.child.stdout?.resume()
    const ran = await running.ran
    assert.equal(ran.exit, 0, ran.stderr)
    for (let index = 0; index < count; index += 1)
      assert.match(
        ran.stdout,
        new RegExp(`applied ${format === 'json' ? '' : '   '}${nameOf(index)}`),
      )
    assert.match(ran.stdout.trimEnd().split('\n').at(-1) ?? '', /done/)
  })
}

for (const format of ['json', 'pretty'] as const) {
  test(`${format}: a disk that is full does not end a run`, { skip: noFullDisk() }, async () => {
    await using db = await freshDatabase()
    using folder = folderOf(manyFiles(50))
    const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, LOCKSTEP_LOG_FORMAT: format }
    const command = ['sh', '-c', 'exec "$@" > /dev/full', 'sh']
    const { exit, stderr } = await startProgram({ env, command, form: 'bundle' }).ran
    assert.equal(exit, 0, stderr)
    assert.equal(await applied(db), 50)
  })
}

function noFullDisk(): string | false {
  return existsSync('/dev/full') ? false : 'there is no /dev/full'
}

/** Waits until nothing is applied any more, since the log has to wait for its reader. */
async function assertStands(db: Database): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  for (let last = 0; performance.now() < deadlineMs;) {
    const [row] = await db.sql<{ count: number }>(
      'select count(*)::int from lockstep.ledger, pg_sleep(1)',
    )
    if (row?.count === last && last > 0) return
    last = row?.count ?? 0
  }
  assert.fail('the run does not wait for its reader')
}

test('a flood of warnings is counted, and takes no memory', async (t) => {
  await using db = await freshDatabase()
  using folder = folderOf({
    '0001_flood.sql': `do $$ begin for i in 1..300000 loop raise warning 'noise %', i; end loop; end $$;`,
    // So that the process is still there to be asked.
    '0002_wait.sql': 'select pg_sleep(1);',
  })
  const running = startProgram({
    env: { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path },
    form: 'bundle',
    withinMs: 60_000,
  })
  await running.says('300000 warnings of the server')
  const peakMB = peakMemory(running.child.pid ?? 0)
  const ran = await running.ran
  assertSucceeded(ran, '2 files applied')
  assert.ok(!ran.output.includes('noise'))
  t.diagnostic(`at most ${peakMB} MB`)
  assert.ok(peakMB < 150)
})

/** Linux: proc(5). Elsewhere 0. */
function peakMemory(pid: number): number {
  if (process.platform !== 'linux') return 0
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024)
}

test('what the driver throws from a timer behind a loss ends the run as a failure that a retry mends', async () => {
  await using db = await freshDatabase()
  const preload = join(import.meta.dirname, '..', 'support', 'throw-after-loss.ts')
  const ran = await migrateFiles(
    db,
    { '0001_a.sql': 'select pg_terminate_backend(pg_backend_pid());' },
    { NODE_OPTIONS: `--import=${preload}` },
  )
  assertFailed(
    ran,
    75,
    'CONNECTION_LOST',
    'the connection is lost, and behind it an unexpected TypeError',
  )
})

/**
 * Ends with a message of PostgreSQL that is as long as one can be: no function takes these hundred
 * types. Other files for each format, since a failure of the same ones rests for half a minute.
 */
function loudFiles(format: string): Record<string, string> {
  const long = 'n'.repeat(63)
  const types = Array.from({ length: 100 }, () => `null::${long}.${long}`)
  return {
    ...manyFiles(3_000),
    '3001_loud.sql': `/* ${format} */ create schema ${long}; create type ${long}.${long} as enum ();
      select loud(${types.join(',')});`,
  }
}

test('no record is longer than 7 KiB, whatever the files are and PostgreSQL says', async () => {
  await using db = await freshDatabase()
  for (const format of ['json', 'pretty']) {
    const ran = await migrateFiles(db, loudFiles(format), { LOCKSTEP_LOG_FORMAT: format })
    assert.equal(ran.exit, 1)
    const lines = ran.stdout.trimEnd().split('\n')
    for (const line of lines)
      assert.ok(Buffer.byteLength(line) <= 7 * 1024, `${Buffer.byteLength(line)} bytes`)
    if (format === 'json') for (const line of lines) JSON.parse(line)
    assert.match(lines.at(-1) ?? '', /SQL_FAILED/)
  }
})

test('a value in a message of PostgreSQL is masked in every line and in the ledger', async () => {
  await using db = await freshDatabase()
  await db.sql(`create table leads (phone text); insert into leads values ('hunter2')`)
  for (const format of ['json', 'pretty']) {
    const ran = await migrateFiles(
      db,
      {
        '0001_a.sql': `/* ${format} */ alter table leads alter column phone type bigint using phone::bigint;`,
      },
      { LOCKSTEP_BASELINE: 'ignore', LOCKSTEP_LOG_FORMAT: format },
    )
    assert.equal(ran.exit, 1)
    assert.ok(ran.output.includes('invalid input syntax for type bigint'))
    assert.ok(!ran.output.includes('hunter2'))
  }
  for (const code of ['', `using errcode = 'check_violation'`]) {
    const raised = `do $$ begin raise exception 'phone %', (select phone from leads) ${code}; end $$;`
    const ran = await migrateFiles(db, { '0001_a.sql': raised }, { LOCKSTEP_BASELINE: 'ignore' })
    assertFailed(ran, 1, 'SQL_FAILED', 'its text is in the log of the server')
    assert.ok(!ran.output.includes('hunter2'))
  }
  const [row] = await db.sql<{ all: string }>('select json_agg(r)::text as all from lockstep.run r')
  assert.ok(!row?.all.includes('hunter2'))
})
