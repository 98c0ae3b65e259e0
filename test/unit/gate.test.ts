import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeGate, type SeenRun, type Verdict, type Wanted } from '../../src/gate.ts'
import type { LedgerRow } from '../../src/recorded.ts'
import { folderOf, rowOf } from '../support/decision.ts'

const a = rowOf(1, '1_a', 'a')
const b = rowOf(2, '2_b', 'b')
const c = rowOf(3, '3_c', 'c')

function runOf(more: Partial<SeenRun>): SeenRun {
  return {
    id: 'cafe0123',
    state: 'running',
    exit: undefined,
    error: undefined,
    detail: undefined,
    isOurs: true,
    agoMs: 12_000,
    logs: undefined,
    ...more,
  }
}

const failed = runOf({ state: 'failed', exit: 1, error: 'SQL_FAILED', detail: 'in 2_b' })
const lost = runOf({ state: 'failed', exit: 75, error: 'CONNECTION_LOST' })

/** A verdict on one line. */
function lineOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'open':
      return ['open', verdict.files, ...verdict.ahead].join(' ')
    case 'refused':
      return verdict.failure.code
    case 'waits':
      return `waits for ${verdict.lacking}; ${verdict.because}`
  }
}

function judge(
  wanted: Wanted,
  rows: readonly LedgerRow[],
  run?: SeenRun,
  waitedMs = 5_000,
): string {
  return lineOf(judgeGate(wanted, { rows, run, hints: [] }, waitedMs))
}

// A case: an image, the rows of a ledger, the newest run, and the verdict after five seconds.
for (const [image, rows, run, verdict] of [
  ['1_a 2_b', [a, b], undefined, 'open 2'],
  ['1_a 2_b', [a, b], failed, 'open 2'],
  ['1_a', [a, b], undefined, 'open 1 2_b'],
  ['1_a 2_b', [a, { ...b, name: '9_b' }], undefined, 'open 2'],
  // One that this image has left out is not ahead of it.
  ['1_a 3_c', [a, b, c], undefined, 'open 2'],
  ['1_a 2_b!', [a], undefined, 'open 2'],
  ['1_a 2_b', [a], undefined, 'waits for 2_b; no run has begun that could apply it'],
  [
    '1_a 2_b 3_c',
    [a],
    undefined,
    'waits for 2 files: 2_b, 3_c; no run has begun that could apply it',
  ],
  ['1_a 2_b', [a], runOf({}), 'waits for 2_b; run cafe0123 has been under way for 12 s'],
  [
    '1_a 2_b',
    [a],
    runOf({ isOurs: false, state: 'succeeded' }),
    'waits for 2_b; run cafe0123 of another image succeeded 12 s ago without it',
  ],
  ['1_a 2_b', [a], lost, 'waits for 2_b; run cafe0123 ended with CONNECTION_LOST 12 s ago'],
  // A retry may help.
  [
    '1_a 2_b',
    [a],
    { ...lost, agoMs: 100 },
    'waits for 2_b; run cafe0123 ended with CONNECTION_LOST 0.1 s ago',
  ],
  // Earlier than the gate, and not long ago: somebody may be about to try again.
  ['1_a 2_b', [a], failed, 'waits for 2_b; run cafe0123 ended with SQL_FAILED (in 2_b) 12 s ago'],
  ['1_a 2_b', [a], { ...failed, agoMs: 4_999 }, 'SAME_FILES_FAILED'],
  ['1_a 2_b', [a], { ...failed, agoMs: 60_001 }, 'SAME_FILES_FAILED'],
  [
    '1_a 2_b',
    [a],
    { ...failed, isOurs: false, agoMs: 100 },
    'waits for 2_b; run cafe0123 of another image ended with SQL_FAILED (in 2_b) 0.1 s ago',
  ],
  ['1_a 2_b=x', [a, b], undefined, 'FILE_CHANGED'],
  ['1_a 2_b=x 3_c', [a, b], runOf({}), 'FILE_CHANGED'],
  ['1_a', [a, { ...b, breaksBefore: '2' }], undefined, 'IMAGE_TOO_OLD'],
  ['1_a', [a, { ...b, breaksBefore: '1' }], undefined, 'open 1 2_b'],
  // A relaxed commit may still be lost.
  [
    '1_a 2_b',
    [a, { ...b, flushed: false }],
    undefined,
    'waits for 2_b; no run has begun that could apply it',
  ],
  ['1_a 2_b', [a, { ...b, flushed: false }, c], undefined, 'open 2 3_c'],
] as const) {
  const ledger = rows.map(({ name }) => name).join(' ')
  test(`${image} where ${ledger} is applied, ${run?.state ?? 'no run'} ${run?.agoMs ?? ''}: ${verdict}`, () => {
    assert.equal(judge({ folder: folderOf(image) }, rows, run), verdict)
  })
}

// A case: the version that an image without files asks for, the rows, and the verdict.
for (const [version, rows, verdict] of [
  ['2', [a, b], 'open 1'],
  ['0002', [a, b, c], 'open 1 3_c'],
  ['2', [a], 'waits for version 2; no run has begun that could apply it'],
  // It promises nothing of lower versions, and a higher one is not this one.
  ['2', [b], 'open 1'],
  ['2', [a, c], 'waits for version 2; no run has begun that could apply it'],
  ['2', [a, b, { ...c, breaksBefore: '3' }], 'IMAGE_TOO_OLD'],
  ['3', [a, b, { ...c, breaksBefore: '3' }], 'open 1'],
  ['2', [a, { ...b, flushed: false }], 'waits for version 2; no run has begun that could apply it'],
] as const) {
  test(`--version ${version} where ${rows.map(({ name }) => name).join(' ')} is applied: ${verdict}`, () => {
    assert.equal(judge({ version }, rows), verdict)
  })
}

test('a failed run of the same files is told with its reason, what is missing and where its log is', () => {
  const run = { ...failed, agoMs: 100, logs: 'kubectl logs crm-migrate-x7k2p' }
  const verdict = judgeGate({ folder: folderOf('1_a 2_b') }, { rows: [a], run, hints: [] }, 5_000)
  assert.ok(verdict.kind === 'refused')
  const { message, more } = verdict.failure
  assert.equal(message, 'run cafe0123 of the same files failed with SQL_FAILED (in 2_b)')
  assert.deepEqual(more.slice(0, 2), [
    'not applied: 2_b',
    'its log: kubectl logs crm-migrate-x7k2p',
  ])
})
