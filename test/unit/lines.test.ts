import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failures, type FailureCode } from '../../src/errors.ts'
import { Failure } from '../../src/failure.ts'
import type { Blocker, Event } from '../../src/events.ts'
import { lineOf } from '../../src/report/lines.ts'
import { everyEvent } from '../support/events.ts'

test('every checkpoint has a line, which is one line, with words and a level', () => {
  for (const event of Object.values(everyEvent)) {
    const { level, text } = lineOf(event)
    assert.match(text, /^\S.*\S$/u, event.checkpoint)
    assert.doesNotMatch(text, /\n|undefined|NaN|\[object/, event.checkpoint)
    assert.ok(['info', 'warn', 'error'].includes(level))
  }
})

const files = { checkpoint: 'files', files: 2, dir: 'sql', first: 'a', last: 'b' } as const
const { running } = everyEvent
const plan = { checkpoint: 'plan', covered: [], pending: [] } as const
const applied = {
  checkpoint: 'applied',
  effects: { tables: [], indexes: [], transactionMs: 1 },
  allowed: [],
  file: '1_a.sql',
  durationMs: 12,
  covers: 0,
  warnings: 0,
} as const
const done = { checkpoint: 'done', durationMs: 1_234 } as const

for (const [event, text] of [
  [everyEvent.start, 'lockstep 1.2.3, run cafe0123, migrate'],
  [everyEvent.files, '16 in sql, 0001 to 0016, baseline 0010'],
  [{ ...files, baseline: undefined }, '2 in sql, a to b'],
  [{ ...files, files: 1, last: 'a', baseline: undefined }, '1 in sql, a'],
  [everyEvent.database, 'host:5432/crm as crm_owner, PostgreSQL 18.4, TLS verify-full'],
  [everyEvent.found, '1 table, 3 objects in all'],
  [{ checkpoint: 'found', tables: 0, objects: 1 }, '0 tables, 1 object in all'],
  [{ checkpoint: 'found', tables: 0, objects: 0 }, 'no tables: an empty database'],
  [everyEvent.waiting, 'held by pod-a, for 12 s'],
  [everyEvent.lock, 'taken after 1.2 s'],
  [{ checkpoint: 'lock', waitedMs: 99.9 }, 'taken'],
  [{ checkpoint: 'lock', waitedMs: 100 }, 'taken after 0.1 s'],
  [{ ...plan, pending: ['a'] }, '1 file, a'],
  [{ ...plan, pending: ['a', 'b'] }, '2 files, a to b'],
  [{ ...plan, pending: ['a', 'b', 'c'] }, '3 files, a to c'],
  [plan, 'no file'],
  [everyEvent.plan, 'baseline for 0001 to 0002, then 1 file'],
  [{ ...plan, covered: ['a', 'b'] }, 'baseline for a to b, then no file'],
  [everyEvent.running, '0003_c.sql for 61 s: building index: scanning table, 62 %'],
  [{ ...running, progress: undefined }, '0003_c.sql for 61 s: waits for IO DataFileRead'],
  [{ ...running, progress: undefined, waitEvent: undefined }, '0003_c.sql for 61 s'],
  [
    { ...running, progress: { command: 'COPY', phase: undefined, percent: undefined, rows: 7 } },
    '0003_c.sql for 61 s: COPY, 7 rows',
  ],
  [everyEvent.blocked, '0003_c.sql waits for ACCESS EXCLUSIVE on public.leads'],
  [{ ...everyEvent.blocked, waitsFor: undefined }, '0003_c.sql waits for a lock'],
  [
    everyEvent.retry,
    '0003_c.sql: canceling statement due to lock timeout (55P03): again in 1.4 s, for at most 4 m 50 s more',
  ],
  [
    everyEvent.lost,
    'the connection to host:5432/crm ended inside 0003_c.sql; the ledger will say what is applied',
  ],
  [
    { ...everyEvent.lost, file: undefined },
    'the connection to host:5432/crm ended; the ledger will say what is applied',
  ],
  [applied, '1_a.sql in 12 ms'],
  [{ ...applied, durationMs: 0.2 }, '1_a.sql in 1 ms'],
  [{ ...applied, durationMs: 1_000 }, '1_a.sql in 1.0 s'],
  [{ ...applied, durationMs: 10_000 }, '1_a.sql in 10 s'],
  [{ ...applied, durationMs: 119_000 }, '1_a.sql in 119 s'],
  [{ ...applied, durationMs: 119_600 }, '1_a.sql in 2 m 0 s'],
  [{ ...applied, durationMs: 3_725_000 }, '1_a.sql in 62 m 5 s'],
  [{ ...applied, covers: 1 }, '1_a.sql in 12 ms, stands for 1 file'],
  [{ ...applied, warnings: 2 }, '1_a.sql in 12 ms, 2 warnings of the server'],
  [{ ...applied, covers: 9 }, '1_a.sql in 12 ms, stands for 9 files'],
  [everyEvent.note, '0005_b.sql is applied already, as 0002_b.sql'],
  [everyEvent.warning, 'LOCKSTEP_X is not known'],
  [
    everyEvent.verified,
    'the ledger shows all 16 files, up to 0016_p.sql; guarded rows: leads 118 (120 before: 2 deleted)',
  ],
  [
    { ...everyEvent.verified, files: 1, head: '1_a.sql', guarded: [] },
    'the ledger shows the file 1_a.sql',
  ],
  [everyEvent.published, 'configmap/crm in shop: succeeded, 0016'],
  [{ ...everyEvent.published, version: '' }, 'configmap/crm in shop: succeeded, no file'],
  [everyEvent.failed, '0007_b.sql:3:5 no such table (42P01)'],
  [
    { ...done, outcome: { kind: 'nothing-to-do', files: 1 } },
    'nothing to do: 1 file applied already, in 1.23 s, exit 0',
  ],
  [
    { ...done, outcome: { kind: 'applied', applied: 3, covered: 0 } },
    '3 files applied in 1.23 s, exit 0',
  ],
  [
    { ...done, outcome: { kind: 'applied', applied: 1, covered: 0 } },
    '1 file applied in 1.23 s, exit 0',
  ],
  [
    { ...done, outcome: { kind: 'applied', applied: 6, covered: 10 } },
    '16 files (10 by the baseline, 6 applied) in 1.23 s, exit 0',
  ],
] as const satisfies [Event, string][]) {
  test(`${event.checkpoint}: ${text}`, () => {
    assert.equal(lineOf(event).text, text)
  })
}

test('what goes wrong is an error, what takes long or is odd a warning, and all else is information', () => {
  const levels = Object.values(everyEvent).map((event) => [event.checkpoint, lineOf(event).level])
  assert.deepEqual(
    levels.filter(([, level]) => level !== 'info'),
    [
      ['waiting', 'warn'],
      ['blocked', 'warn'],
      ['retry', 'warn'],
      ['lost', 'warn'],
      ['warning', 'warn'],
      ['failed', 'error'],
      ['done', 'error'],
    ],
  )
  const well = { ...done, outcome: { kind: 'nothing-to-do', files: 1 } } as const
  assert.equal(lineOf(well).level, 'info')
})

test('what belongs below a line comes with it', () => {
  assert.deepEqual(lineOf(everyEvent.failed).more, ['mend it'])
  assert.deepEqual(lineOf(everyEvent.waiting).more, ['a hint'])
  assert.deepEqual(lineOf(everyEvent.done).more, [])
})

test('whoever is in the way is told as far as the server shows', () => {
  const { blocked, retry } = everyEvent
  const told = (change: Partial<Blocker>): string | undefined => {
    const [blocker] = blocked.blockers
    assert.ok(blocker)
    return lineOf({ ...blocked, blockers: [{ ...blocker, ...change }] }).more[0]
  }
  assert.equal(
    told({}),
    'pid 8123 (application backend, user crm) holds ACCESS SHARE, idle in transaction for 3 m 10 s',
  )
  assert.equal(
    told({ application: '', mode: undefined, stateMs: undefined }),
    'pid 8123 (user crm), idle in transaction',
  )
  assert.equal(
    told({ application: undefined, user: undefined, state: undefined }),
    'pid 8123 holds ACCESS SHARE; what it does is hidden from this role: grant pg_read_all_stats to it',
  )
  assert.match(told({ pid: 0 }) ?? '', /^a prepared transaction, /)
  assert.match(lineOf(retry).more[0] ?? '', /^in the way: pid 8123 /)
})

test('the last line tells code and exit, and that a retry helps after 75 only', () => {
  // oxlint-disable-next-line no-unsafe-type-assertion -- the keys of a constant are known
  for (const code of Object.keys(failures) as FailureCode[]) {
    const failure = new Failure(code, 'message')
    const retry = failures[code].exit === 75 ? 'a retry may help' : 'a retry will not help'
    const { text } = lineOf({ ...done, outcome: { kind: 'failed', failure } })
    assert.equal(text, `${code}, ${retry}, exit ${failures[code].exit}`)
  }
})

test('names of files form a column where a width is given', () => {
  assert.equal(lineOf(applied, 10).text, '1_a.sql    in 12 ms')
  assert.equal(
    lineOf({ ...applied, file: '1_longer_name.sql' }, 10).text,
    '1_longer_name.sql in 12 ms',
  )
})
