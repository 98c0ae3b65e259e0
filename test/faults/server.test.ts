import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import postgres from 'postgres'
import { rowsOf, withClient } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { markingFiles, marksIn, namesIn } from '../support/marks.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, startProgram } from '../support/program.ts'
import { superuserPassword } from '../support/secrets.ts'
import { freePort, startServer } from '../support/server.ts'

const files = {
  '0001_a.sql': 'create table journal (file int); insert into journal values (1);',
  '0002_b.sql': 'insert into journal values (2); select pg_sleep(1);',
  '0003_c.sql': 'insert into journal values (3);',
}

for (const mode of ['fast', 'immediate'] as const) {
  test(`a server that is stopped ${mode} inside a file, and started again: the run goes on, each file once`, async () => {
    await using server = await startServer(18)
    using folder = folderOf(files)
    const env = {
      DATABASE_URL: server.url,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_CONNECT_WAIT: '30s',
      LOCKSTEP_HEARTBEAT: '200ms',
    }
    const running = startProgram({ env, form: 'bundle', withinMs: 60_000 })
    await running.says('running    0002_b.sql')
    await server.stop(mode)
    await running.says('connection refused')
    await server.start()
    assertSucceeded(await running.ran, /^lost .* inside 0002_b\.sql/m, '3 files applied')
    const sql = postgres(server.url, { max: 1, fetch_types: false })
    try {
      const rows = await sql.unsafe('select file from journal order by file')
      assert.deepEqual([...rows], [{ file: 1 }, { file: 2 }, { file: 3 }])
    } finally {
      await sql.end({ timeout: 1 })
    }
  })
}

for (const told of ['0001_f.sql', '0004_f.sql', '0021_f.sql', '0038_f.sql']) {
  test(`a server that is stopped immediate when ${told} has been told keeps whatever had been told`, async () => {
    // What no COMMIT waits for is written by nobody meanwhile, so that it is lost.
    await using server = await startServer(18, ['fsync=off', 'wal_writer_delay=10s'])
    using folder = folderOf(markingFiles('app', 40))
    const env = { DATABASE_URL: server.url, LOCKSTEP_DIR: folder.path }
    const running = startProgram({ env, form: 'bundle' })
    await running.says(`applied    ${told}`)
    await server.stop('immediate')
    const { output } = await running.ran
    await server.start()
    const lines = [...output.matchAll(/^applied {4}(\S+)/gm)].map(([, file]) => file)
    await withClient(server.url, async (client) => {
      const db = { sql: <Row>(text: string) => rowsOf<Row>(client, text) }
      const names = await namesIn(db, 'lockstep')
      assert.deepEqual(names, await marksIn(db, 'app'))
      assert.deepEqual(lines, names.slice(0, lines.length))
      assertSucceeded(await runProgram({ env, form: 'bundle' }), 'the ledger shows all 40 files')
      assert.equal((await marksIn(db, 'app')).length, 40)
    })
  })
}

/** Seconds of a processor that a process has used. Linux: proc(5), in hundredths of a second. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

test('a backend that is killed while its COMMIT waits: the file counts, and the run goes on behind it', async () => {
  await using server = await startServer(18)
  // Of files that follow each other it is the fourth that waits for the disk, and for a standby.
  using folder = folderOf({
    ...files,
    '0002_b.sql': 'insert into journal values (2);',
    '0004_d.sql': 'insert into journal values (4); select pg_advisory_xact_lock(42);',
    '0005_e.sql': 'insert into journal values (5);',
  })
  const env = {
    DATABASE_URL: server.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_CONNECT_WAIT: '30s',
    LOCKSTEP_HEARTBEAT: '200ms',
    LOCKSTEP_LOCK_TIMEOUT: '0',
  }
  const sql = postgres(server.url, { max: 1, fetch_types: false })
  try {
    await sql.unsafe('select pg_advisory_lock(42)')
    const running = startProgram({ env, form: 'bundle', withinMs: 60_000 })
    await running.says('blocked    0004_d.sql')
    // From now on a COMMIT is on the disk, and waits for a standby that never comes.
    await sql.unsafe(`alter system set synchronous_standby_names = 'nobody'`)
    await server.reload()
    await sql.unsafe('select pg_sleep(0.5), pg_advisory_unlock(42)')
    await terminateAtCommit(sql)
    await sql.unsafe('alter system reset synchronous_standby_names')
    await server.reload()
    const note = '0004_d.sql is applied: the connection was lost behind its COMMIT'
    assertSucceeded(await running.ran, /^lost /m, note, '5 files applied')
    const rows = await sql.unsafe('select file from journal order by file')
    assert.deepEqual(
      rows.map(({ file }) => file),
      [1, 2, 3, 4, 5],
    )
  } finally {
    await sql.end({ timeout: 1 })
  }
})

/** Ends the session that waits for a standby, as soon as there is one. */
async function terminateAtCommit(sql: postgres.Sql): Promise<void> {
  const deadlineMs = performance.now() + 10_000
  for (;;) {
    const ended = await sql.unsafe(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where wait_event = 'SyncRep'`,
    )
    if (ended.length > 0) return
    assert.ok(performance.now() < deadlineMs, 'no COMMIT waits')
  }
}

test(
  'where no host answers, a run waits without work and ends by its deadline',
  { skip: process.platform === 'linux' ? false : 'the use of the processor is read from /proc' },
  async (t) => {
    using folder = folderOf(files)
    const env = {
      DATABASE_URL: `postgres://u:${superuserPassword}@127.0.0.1:${await freePort()},localhost:${await freePort()}/d`,
      LOCKSTEP_DIR: folder.path,
      LOCKSTEP_CONNECT_WAIT: '60s',
      LOCKSTEP_HEARTBEAT: '100ms',
      LOCKSTEP_DEADLINE: '8s',
    }
    const running = startProgram({ env, form: 'bundle' })
    // Loading the program is over by then.
    await running.says('waiting ', 3)
    const pid = running.child.pid ?? 0
    const before = { s: processorSeconds(pid), ms: performance.now() }
    await running.says('waiting ', 6)
    const used = processorSeconds(pid) - before.s
    const tookS = (performance.now() - before.ms) / 1000
    t.diagnostic(`${((100 * used) / tookS).toFixed(1)} % of a processor in ${tookS.toFixed(1)} s`)
    assert.ok(used / tookS < 0.1)
    assertFailed(await running.ran, 75, 'DEADLINE_OVER')
  },
)
