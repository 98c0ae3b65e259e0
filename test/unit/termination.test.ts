import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import { leaveTermination, terminationText } from '../../src/report/termination.ts'

const outcome = (...more: string[]) =>
  ({
    kind: 'failed',
    failure: new Failure('SQL_FAILED', '0007_b.sql:3:5 no such table (42P01)', more),
  }) as const

test('a success leaves the last line of the log', () => {
  const applied = { kind: 'applied', applied: 2, covered: 0 } as const
  assert.equal(terminationText(applied, 310), 'done 2 files applied in 0.31 s, exit 0')
})

test('a failure leaves the place, what is kept, what to do, and the last line of the log', () => {
  assert.equal(
    terminationText(outcome('nothing of this file is kept', 'mend it\u001B[2J'), 310),
    [
      'failed 0007_b.sql:3:5 no such table (42P01)',
      'nothing of this file is kept',
      String.raw`mend it\u001b[2J`,
      'done SQL_FAILED, a retry will not help, exit 1',
    ].join('\n'),
  )
})

test('it never has more than 4,000 bytes, and always the first and the last line', () => {
  const many = terminationText(
    outcome(...Array.from({ length: 200 }, (_, at) => `${at} ${'ä'.repeat(99)}`)),
    1,
  )
  const huge = new Failure('SQL_FAILED', 'ü'.repeat(9_000), ['mend it'])
  for (const text of [many, terminationText({ kind: 'failed', failure: huge }, 1)]) {
    assert.ok(Buffer.byteLength(text) <= 4_000, `${Buffer.byteLength(text)} bytes`)
    assert.ok(Buffer.byteLength(text) > 3_700, `${Buffer.byteLength(text)} bytes`)
    assert.match(text, /^failed (?:0007_b\.sql:3:5 no|ü+…$)/m)
    assert.match(text, /\ndone SQL_FAILED, a retry will not help, exit 1$/)
    assert.doesNotMatch(text, /\uFFFD/)
  }
})

test('it goes into a file that is there, in place of what it held, and makes none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-termination-'))
  try {
    const path = join(folder, 'termination-log')
    leaveTermination(path, 'not there')
    assert.ok(!existsSync(path))
    writeFileSync(path, 'of the run before, which was longer')
    leaveTermination(path, 'done')
    assert.equal(readFileSync(path, 'utf8'), 'done')
    leaveTermination(folder, 'a folder is no file')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
