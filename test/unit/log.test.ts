import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import type { Event } from '../../src/events.ts'
import { controlCharacter } from '../support/failure.ts'
import { everyEvent } from '../support/events.ts'

interface Asked {
  readonly format: 'json' | 'pretty'
  readonly level?: 'debug' | 'info' | 'warn' | 'error'
  readonly fd?: 1 | 2
  readonly isTerminal?: boolean
}

/** What a process writes that opens the log and tells these events. */
function say(
  { format, level = 'info', fd = 1, isTerminal = false }: Asked,
  events: readonly Event[],
): { stdout: string; stderr: string } {
  const script = join(import.meta.dirname, '..', 'support', 'say.ts')
  const json = JSON.stringify(events, (_, value: unknown) =>
    value instanceof Failure ? [value.code, value.message, ...value.more] : value,
  )
  const args = [script, format, level, String(fd), isTerminal ? 'terminal' : 'file', json]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 10_000,
    // Whoever runs the tests may have wishes about colours of their own.
    env: { PATH: process.env['PATH'] },
  })
  assert.equal(status, 0, stderr)
  return { stdout, stderr }
}

const hostile = 'a\u{1B}[31mb\nforged line\r\u{7}\u{9B}2J\u{2028}\u{7F}c'
const failure = new Failure('SQL_FAILED', hostile, [hostile, 'mend it'])
const all = Object.values(everyEvent)

test('a line of JSON begins with level, severity and time, then message, checkpoint and run', () => {
  const { stdout, stderr } = say({ format: 'json' }, all)
  assert.equal(stderr, '')
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, all.length)
  for (const [index, line] of lines.entries()) {
    const record: Record<string, unknown> = JSON.parse(line)
    const { checkpoint } = all[index] ?? {}
    const keys = ['level', 'severity', 'time', 'message', 'checkpoint', 'run']
    assert.deepEqual(Object.keys(record).slice(0, keys.length), keys)
    assert.equal(record['checkpoint'], checkpoint)
    assert.match(String(record['message']), new RegExp(`^${checkpoint} \\S`))
    assert.equal(record['run'], 'cafe0123')
    assert.match(String(record['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
})

const backend = {
  pid: 8123,
  application: 'backend',
  user: 'crm',
  state: 'idle in transaction',
  stateMs: 190_000,
  mode: 'ACCESS SHARE',
  isHeld: true,
}
const inTheWay =
  'pid 8123 (application backend, user crm) holds ACCESS SHARE, idle in transaction for 3 m 10 s'

test('the fields of JSON are those that machines read, with whole milliseconds', () => {
  const { stdout } = say({ format: 'json' }, all)
  const fields = stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { severity: _, time: _time, message: _message, run: _run, ...rest } = JSON.parse(line)
      return rest as unknown
    })
  assert.deepEqual(fields, [
    { level: 'info', checkpoint: 'start', programVersion: '1.2.3', command: 'migrate' },
    {
      level: 'info',
      checkpoint: 'files',
      files: 16,
      dir: 'sql',
      first: '0001_a.sql',
      last: '0016_p.sql',
      baseline: '0010',
    },
    {
      level: 'info',
      checkpoint: 'database',
      address: 'host:5432/crm',
      user: 'crm_owner',
      serverVersion: '18.4',
      encryption: 'TLS verify-full',
    },
    { level: 'info', checkpoint: 'found', tables: 1, objects: 3 },
    { level: 'warn', checkpoint: 'waiting', waitedMs: 12_346, more: ['a hint'] },
    { level: 'info', checkpoint: 'lock', waitedMs: 1_235 },
    {
      level: 'info',
      checkpoint: 'plan',
      covered: ['0001_a.sql', '0002_b.sql'],
      pending: ['0003_c.sql'],
    },
    {
      level: 'info',
      checkpoint: 'running',
      file: '0003_c.sql',
      runningMs: 61_000,
      waitEvent: 'IO DataFileRead',
      progress: {
        command: 'CREATE INDEX',
        phase: 'building index: scanning table',
        percent: 62,
      },
    },
    {
      level: 'warn',
      checkpoint: 'blocked',
      file: '0003_c.sql',
      runningMs: 2_500,
      waitsFor: { mode: 'ACCESS EXCLUSIVE', on: 'public.leads' },
      blockers: [backend],
      more: [inTheWay],
    },
    {
      level: 'warn',
      checkpoint: 'retry',
      file: '0003_c.sql',
      reason: '0003_c.sql: canceling statement due to lock timeout (55P03)',
      pauseMs: 1_400,
      leftMs: 290_000,
      blockers: [backend],
      more: [`in the way: ${inTheWay}`],
    },
    {
      level: 'warn',
      checkpoint: 'lost',
      reason: 'the connection to host:5432/crm ended',
      file: '0003_c.sql',
    },
    {
      level: 'info',
      checkpoint: 'step',
      file: '0003_c.sql',
      ordinal: 2,
      of: 5,
      how: 'alone',
      kind: 'CREATE INDEX CONCURRENTLY',
      durationMs: 61_000,
    },
    {
      level: 'info',
      checkpoint: 'guard',
      tables: [{ table: 'public.leads', rows: 120, isEstimate: false }],
      missing: ['faqs'],
    },
    {
      level: 'info',
      checkpoint: 'applied',
      file: '0003_c.sql',
      durationMs: 12,
      covers: 0,
      warnings: 0,
      effects: {
        tables: [{ table: 'public.leads', lock: 'ACCESS EXCLUSIVE', deleted: 2, root: 16_385 }],
        indexes: [{ index: 'public.leads_pkey', change: 'created' }],
        transactionMs: 10.25,
      },
      allowed: [{ table: 'public.leads', what: 'delete', rows: 2 }],
    },
    { level: 'info', checkpoint: 'note' },
    { level: 'warn', checkpoint: 'warning' },
    {
      level: 'info',
      checkpoint: 'verified',
      head: '0016_p.sql',
      files: 16,
      guarded: [{ table: 'public.leads', rows: 118, isEstimate: false, before: 120, deleted: 2 }],
    },
    {
      level: 'info',
      checkpoint: 'published',
      target: 'configmap/crm in shop',
      state: 'succeeded',
      version: '0016',
    },
    {
      level: 'error',
      checkpoint: 'failed',
      code: 'SQL_FAILED',
      exit: 1,
      retryHelps: false,
      more: ['mend it'],
    },
    {
      level: 'error',
      checkpoint: 'done',
      outcome: 'failed',
      code: 'SQL_FAILED',
      exit: 1,
      durationMs: 1_234,
    },
  ])
})

test('the last line of a run that went well tells counts and exit code', () => {
  const { stdout } = say({ format: 'json' }, [
    { checkpoint: 'done', outcome: { kind: 'applied', applied: 6, covered: 10 }, durationMs: 9.6 },
    { checkpoint: 'done', outcome: { kind: 'nothing-to-do', files: 16 }, durationMs: 9.6 },
  ])
  assert.match(stdout, /"outcome":"applied","applied":6,"covered":10,"exit":0,"durationMs":10\}\n/)
  assert.match(stdout, /"outcome":"nothing-to-do","files":16,"exit":0,"durationMs":10\}\n$/)
})

test('a level is told in words, and in those of Google Cloud, too', () => {
  const { stdout } = say({ format: 'json' }, [
    everyEvent.start,
    everyEvent.warning,
    everyEvent.failed,
  ])
  const levels = [...stdout.matchAll(/"level":"(\w+)","severity":"(\w+)"/g)]
  assert.deepEqual(
    levels.map(([, level, severity]) => [level, severity]),
    [
      ['info', 'INFO'],
      ['warn', 'WARNING'],
      ['error', 'ERROR'],
    ],
  )
})

test('machines are told whether a retry helps: after a temporary failure, and after no other', () => {
  const codes = ['CONNECTION_LOST', 'CONFIG_INVALID', 'SQL_FAILED', 'DEFECT'] as const
  const { stdout } = say(
    { format: 'json' },
    codes.map((code) => ({ checkpoint: 'failed', failure: new Failure(code, 'message') })),
  )
  const told = [...stdout.matchAll(/"code":"(\w+)","exit":(\d+),"retryHelps":(\w+)/g)]
  assert.deepEqual(
    told.map(([, code, exit, helps]) => [code, exit, helps]),
    [
      ['CONNECTION_LOST', '75', 'true'],
      ['CONFIG_INVALID', '64', 'false'],
      ['SQL_FAILED', '1', 'false'],
      ['DEFECT', '70', 'false'],
    ],
  )
})

for (const format of ['json', 'pretty'] as const) {
  test(`${format}: what is below the level is not told`, () => {
    const { stdout } = say({ format, level: 'warn' }, all)
    assert.match(stdout, /waiting/)
    assert.doesNotMatch(stdout, /verified/)
    assert.doesNotMatch(say({ format, level: 'error' }, all).stdout, /waiting/)
    assert.match(say({ format, level: 'debug' }, all).stdout, /verified/)
  })

  test(`${format}: descriptor 2 leaves the output of the program alone`, () => {
    const { stdout, stderr } = say({ format, fd: 2 }, all)
    assert.equal(stdout, '')
    assert.match(stderr, /verified/)
  })

  test(`${format}: foreign text can neither move the cursor nor forge a line`, () => {
    const events: Event[] = [
      { checkpoint: 'failed', failure },
      { checkpoint: 'note', text: hostile },
      { checkpoint: 'waiting', reason: hostile, waitedMs: 1, more: [hostile] },
      { checkpoint: 'plan', covered: [], pending: [hostile] },
    ]
    const { stdout } = say({ format }, events)
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, format === 'json' ? 4 : 7)
    for (const line of lines) assert.doesNotMatch(line, /^forged/)
    // JSON is for machines, and escapes what JSON has to.
    if (format === 'pretty') for (const line of lines) assert.doesNotMatch(line, controlCharacter)
    assert.match(stdout, /\\u001b\[31m/)
  })
}

test('readable lines are checkpoint and text in columns, with what belongs to them below', () => {
  const { stdout } = say({ format: 'pretty' }, [
    everyEvent.start,
    { checkpoint: 'plan', covered: [], pending: ['1_a.sql', '2_longest.sql'] },
    { ...everyEvent.applied, file: '1_a.sql', durationMs: 2, allowed: [] },
    { ...everyEvent.applied, file: '2_longest.sql', durationMs: 30 },
    everyEvent.failed,
    everyEvent.done,
  ])
  assert.equal(
    stdout,
    `start      lockstep 1.2.3, run cafe0123, migrate
plan       2 files, 1 to 2
applied    1_a.sql       in 2 ms, leads 2 deleted, ACCESS EXCLUSIVE; 1 index created
applied    2_longest.sql in 30 ms
           leads: it is allowed to delete 2 rows
           leads 2 deleted, ACCESS EXCLUSIVE
           1 index created
failed     0007_b.sql:3:5 no such table (42P01)
           mend it
done       SQL_FAILED, a retry will not help, exit 1
`,
  )
})

test('on a terminal the checkpoint is coloured by level, and the text is not', () => {
  const { stdout } = say({ format: 'pretty', isTerminal: true }, [
    everyEvent.start,
    everyEvent.warning,
    everyEvent.failed,
  ])
  const [start = '', warning = '', failed = ''] = stdout.split('\n')
  const escape = '\u{1B}\\['
  assert.match(start, new RegExp(`${escape}36mstart${escape}(39|0)m {6}lockstep`))
  assert.match(warning, new RegExp(`${escape}33mwarning${escape}(39|0)m {4}LOCKSTEP_X`))
  assert.match(failed, new RegExp(`${escape}31mfailed${escape}(39|0)m {5}0007_b`))
})
