import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { failures } from '../../src/errors.ts'
import type { Activity } from '../../src/postgres/activity.ts'
import type { RunRow } from '../../src/postgres/runs.ts'
import { statusText } from '../../src/report/status-text.ts'
import { documentOf, type Facts } from '../../src/status-document.ts'
import { controlCharacter } from '../support/failure.ts'
import { fileOf } from '../support/decision.ts'

const minuteMs = 60_000
const run: RunRow = {
  id: 'cafe0123',
  state: 'running',
  pod: 'crm-migrate-x7k2p',
  image: null,
  fileBegun: null,
  exitCode: null,
  reason: null,
  started: '2026-11-23T03:14:07.412+01:00',
  finished: null,
  agoMs: 41_000,
}
const holder: Activity = {
  pid: 4711,
  application: 'lockstep/cafe0123/crm-migrate-x7k2p',
  user: 'crm_owner',
  state: 'active',
  stateMs: 12_000,
  connectedMs: 41_000,
  waitEvent: undefined,
  file: '0002_b.sql',
  progress: undefined,
  waitsFor: undefined,
  blockers: [],
}
const facts: Facts = {
  database: 'db:5432/crm',
  schema: 'lockstep',
  folder: { dir: 'sql', files: [fileOf('0001_a.sql', 'a')], baseline: undefined, warnings: [] },
  rows: [],
  decision: { kind: 'up-to-date', later: [], notes: [] },
  hidden: [],
  reports: new Map(),
  unguarded: [],
  invalidIndexes: [],
  halfDone: [],
  runs: [],
  connected: new Set(),
  holder: undefined,
  longestIdleMs: minuteMs,
}

function textOf(change: Partial<Facts>): string {
  return statusText(documentOf({ ...facts, ...change }), false)
}

test('where nothing is wrong or under way, there is nothing behind the summary', () => {
  assert.equal(textOf({}), 'db:5432/crm\n\n  0001_a.sql  pending\n\nnothing is pending\n')
})

test('a holder may be orphaned when it has been idle for as long as a living one never is', () => {
  for (const [state, stateMs, mayBe] of [
    ['idle', minuteMs - 1, false],
    ['idle', minuteMs, true],
    ['idle in transaction', minuteMs, true],
    ['idle in transaction (aborted)', minuteMs, true],
    ['active', 60 * minuteMs, false],
    [undefined, undefined, false],
  ] as const) {
    const document = documentOf({ ...facts, holder: { ...holder, state, stateMs } })
    assert.equal(document.lock?.mayBeOrphaned, mayBe, state)
    // An idle session applies nothing any more.
    assert.equal(document.lock.file, state === 'active' ? '0002_b.sql' : undefined)
    const line = 'select pg_terminate_backend(4711);'
    assert.equal(document.lock.terminate, mayBe ? line : undefined)
    assert.equal(statusText(document, false).includes(line), mayBe)
  }
})

test('what a holder does is told with its progress, or what it waits for', () => {
  const progress = {
    command: 'CREATE INDEX',
    phase: 'building index: scanning table',
    percent: 62,
    rows: undefined,
  }
  const front =
    'lock       held by crm-migrate-x7k2p (run cafe0123, pid 4711) as crm_owner, connected for 41 s\n'
  for (const [change, second] of [
    [{}, 'applies 0002_b.sql for 12 s'],
    [{ progress }, 'applies 0002_b.sql for 12 s: building index: scanning table, 62 %'],
    [{ waitEvent: 'IO DataFileRead' }, 'applies 0002_b.sql for 12 s: waits for IO DataFileRead'],
    [{ file: undefined }, 'works for 12 s'],
    [{ state: 'idle', waitEvent: 'Client ClientRead' }, 'idle for 12 s'],
    [{ state: undefined }, 'what it does is hidden from this role'],
  ] as const) {
    const text = textOf({ holder: { ...holder, ...change } })
    assert.ok(text.endsWith(`${front}           ${second}\n`), text)
  }
})

test('a holder that is no runner is told as what it calls itself, and one that prepared a transaction has nothing to end', () => {
  const other = { ...holder, application: 'psql', file: undefined }
  assert.match(
    textOf({ holder: other }),
    /held by pid 4711, no runner of Lockstep \(application psql\)/,
  )
  assert.match(
    textOf({ holder: { ...other, application: '' } }),
    /held by pid 4711, no runner of Lockstep as/,
  )
  const nobody = { application: undefined, user: undefined, state: undefined, stateMs: undefined }
  const prepared = { pid: 0, ...nobody, mode: 'ACCESS SHARE', isHeld: true }
  const text = textOf({ holder: { ...holder, blockers: [prepared] } })
  assert.match(text, /and waits for a lock\n +a prepared transaction, which COMMIT PREPARED/)
  assert.doesNotMatch(text, /pg_terminate_backend/)
})

test('a run that says running has vanished only where no session of it is seen', () => {
  for (const [connected, state] of [
    [new Set(['cafe0123']), 'running'],
    [new Set(['deadbeef']), 'vanished'],
    [new Set<string>(), 'vanished'],
    [undefined, 'running'],
  ] as const) {
    assert.equal(documentOf({ ...facts, runs: [run], connected }).lastRun?.state, state)
  }
})

test('a failure is told with what its code means, and a code of a later release without', () => {
  const failed: RunRow = {
    ...run,
    state: 'failed',
    finished: run.started,
    reason: 'LOCK_TIMEOUT',
    exitCode: 75,
    fileBegun: '0002_b.sql',
    image: 'crm:7',
  }
  const { means, todo } = failures.LOCK_TIMEOUT
  assert.equal(
    textOf({ runs: [failed] })
      .split('\n\n')
      .at(-1),
    `last run   run cafe0123 in crm-migrate-x7k2p of crm:7 failed, 2026-11-23 02:14:07 UTC, 41 s ago: LOCK_TIMEOUT in 0002_b.sql, exit 75
           LOCK_TIMEOUT means: ${means}
           applied in this run and kept: no file
           its log says more:
           kubectl logs crm-migrate-x7k2p
           a retry may help: ${todo}
`,
  )
  const later = textOf({ runs: [{ ...failed, reason: 'LATER_CODE' }] })
  assert.match(later, /: LATER_CODE in 0002_b\.sql, exit 75\n/)
  assert.doesNotMatch(later, /means|a retry/)
  for (const reason of ['toString', '__proto__']) {
    const { lastRun } = documentOf({ ...facts, runs: [{ ...failed, reason }] })
    assert.deepEqual([lastRun?.means, lastRun?.retryHelps], [undefined, undefined])
  }
})

test('what an earlier failure asks for is told until a run has succeeded', () => {
  const failed: RunRow = { ...run, id: 'deadbeef', state: 'failed', reason: 'SQL_FAILED' }
  const advice = `a retry will not help: ${failures.SQL_FAILED.todo}`
  const under = textOf({ runs: [run, failed], connected: new Set([run.id]) })
  assert.ok(under.includes(advice), under)
  const over = textOf({ runs: [{ ...run, state: 'succeeded' }, failed] })
  assert.ok(!over.includes(advice), over)
  assert.match(over, /a later run has succeeded/)
})

test('only the name of a pod becomes a command', () => {
  for (const [pod, logs] of [
    ['crm-migrate-x7k2p', 'kubectl logs crm-migrate-x7k2p'],
    ['--all; rm -rf .', undefined],
    ['a b', undefined],
    ['', undefined],
    [null, undefined],
  ] as const) {
    assert.equal(documentOf({ ...facts, runs: [{ ...run, pod }] }).lastRun?.logs, logs)
  }
})

test('no foreign text moves a cursor or forges a line', () => {
  const hostile = 'a\u001B[31mb\nlock       forged\u009B2J\u2028c'
  const blocker = { pid: 1, user: hostile, state: hostile, stateMs: 1, mode: hostile, isHeld: true }
  const text = textOf({
    database: hostile,
    decision: { kind: 'up-to-date', later: [], notes: [hostile] },
    hidden: [{ what: hostile, why: hostile, grant: hostile }],
    unguarded: [hostile],
    invalidIndexes: [{ index: hostile, table: hostile, builderPid: undefined, drop: hostile }],
    halfDone: [{ file: hostile, ordinal: 1, meaning: hostile, state: hostile }],
    runs: [{ ...run, state: hostile, pod: hostile, image: hostile, reason: hostile }],
    holder: {
      ...holder,
      application: hostile,
      user: hostile,
      waitEvent: hostile,
      file: hostile,
      blockers: [{ ...blocker, application: hostile }],
    },
  })
  assert.doesNotMatch(text.replaceAll('\n', ''), controlCharacter)
  assert.doesNotMatch(text, /^lock +forged/m)
})

test('on a terminal words are coloured by how bad it is, and what to type stands out', () => {
  const terminate = { holder: { ...holder, state: 'idle', stateMs: minuteMs } }
  const text = statusText(documentOf({ ...facts, ...terminate }), true)
  assert.ok(text.includes('\u001B[31mlock       \u001B[0mheld by'), text)
  assert.ok(text.includes('\u001B[1mselect pg_terminate_backend(4711);\u001B[0m'), text)
})

test('docs/status-command.md names every field of the document', () => {
  const page = readFileSync(
    join(import.meta.dirname, '..', '..', 'docs', 'status-command.md'),
    'utf8',
  )
  const blocker = {
    pid: 1,
    user: '',
    state: '',
    stateMs: 1,
    mode: '',
    isHeld: true,
    application: '',
  }
  const progress = { command: 'COPY', phase: '', percent: 1, rows: 1 }
  const waitsFor = { mode: '', on: '' }
  const document = documentOf({
    ...facts,
    hidden: [{ what: '', why: '', grant: '' }],
    invalidIndexes: [{ index: '', table: '', builderPid: 1, drop: '' }],
    halfDone: [{ file: '', ordinal: 1, meaning: '', state: '' }],
    runs: [{ ...run, state: 'failed' }],
    holder: { ...holder, progress, waitsFor, blockers: [blocker] },
  })
  const fields = (value: unknown): string[] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, inner]) => [key, ...fields(inner)])
  const named = [...new Set(fields(document))].filter((field) => !/^\d+$/.test(field))
  assert.ok(named.length > 50, named.join(' '))
  assert.deepEqual(
    named.filter((field) => !page.includes(`\`${field}\``)),
    [],
  )
})
