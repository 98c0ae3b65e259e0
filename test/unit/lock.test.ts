import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Activity } from '../../src/postgres/activity.ts'
import { describeHolder, lockKey } from '../../src/postgres/lock.ts'

// Golden: by `printf 'lockstep %s' SCHEMA | sha256sum | cut -c 1-16`, as a signed number. They may
// never change: two releases that disagreed would both think themselves alone.
for (const [schema, key] of [
  ['lockstep', -6_666_451_310_881_527_300n],
  ['crm', -6_473_250_744_443_445_034n],
  ['größe "x"', 8_770_226_680_560_760_969n],
] as const) {
  test(`the lock of the schema ${schema} has the key ${key}`, () => {
    assert.equal(lockKey(schema), key)
  })
}

const minuteMs = 60_000

/** A runner that holds the lock and applies a file. */
const holder: Activity = {
  pid: 4711,
  application: 'lockstep/cafe0123/crm-migrate-x7k2p',
  user: 'crm',
  state: 'active',
  stateMs: 12_000,
  connectedMs: 41_000,
  waitEvent: undefined,
  file: '0014_index.sql',
  progress: undefined,
  waitsFor: undefined,
  blockers: [],
}
const runner = 'crm-migrate-x7k2p (run cafe0123, pid 4711), connected for 41 s'
const progress = { command: 'CREATE INDEX', phase: 'building index', percent: 62, rows: undefined }
const waitsFor = { mode: 'ACCESS EXCLUSIVE', on: 'public.leads' }
const orphaned = ['it has been idle for 12 m 0 s: if its client is gone, this ends it:']

for (const [what, change, who, more] of [
  ['that works', {}, `${runner}; it applies 0014_index.sql`, []],
  ['with its progress', { progress }, /; it applies 0014_index\.sql: building index, 62 %$/, []],
  ['that waits', { waitsFor }, /0014_index\.sql: waits for ACCESS EXCLUSIVE on public\.leads$/, []],
  ['that pauses', { state: 'idle', stateMs: minuteMs }, runner, []],
  [
    'whose client may be gone',
    { state: 'idle', stateMs: 12 * minuteMs },
    runner,
    [...orphaned, 'select pg_terminate_backend(4711);'],
  ],
  [
    'of another role',
    { state: undefined, stateMs: undefined, connectedMs: undefined, file: undefined },
    'crm-migrate-x7k2p (run cafe0123, pid 4711)',
    ['what it does is hidden from this role: grant pg_read_all_stats to it'],
  ],
  ['that is no runner', { application: 'psql', file: undefined }, /^pid 4711 \(.*psql/, []],
] as const) {
  test(`whoever waits is told of a holder ${what}`, () => {
    const told = describeHolder({ ...holder, ...change })
    if (typeof who === 'string') assert.equal(told.who, who)
    else assert.match(told.who, who)
    assert.deepEqual(told.more, more)
  })
}
