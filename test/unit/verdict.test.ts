import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerStates } from '../../src/postgres/ledger-states.ts'
import { readVerdict, Suspicion, type Finding } from '../../src/postgres/verdict.ts'

function finding(about: Partial<Finding>): Finding {
  const rows = { oid: 1, table: 'public.leads', what: 'delete', rows: 3 } as const
  return { ...rows, isExact: false, hasKey: true, isOwn: false, level: 1, ...about }
}

function suspicion(suspects: readonly Finding[], violations: readonly Finding[] = []): Suspicion {
  const verdict = JSON.stringify({ violations, suspects })
  const read = readVerdict('1_a.sql', { verdict, sqlState: ledgerStates.suspected }, [])
  assert.ok(read instanceof Suspicion)
  return read
}

test('exact mode is for what is suspected, whatever else is certain', () => {
  const certain = finding({ oid: 7, what: 'rename', level: 6 })
  const { exact, message } = suspicion([finding({})], [certain])
  assert.deepEqual(exact, { roots: [1], refilled: [], mode: 'SHARE ROW EXCLUSIVE' })
  assert.equal(message, '1_a.sql would rename leads, or move it to another schema')
})

test('tables are locked as strongly as the first try needed, and never so that others write', () => {
  const modes = [1, 3, 4, 5, 6].map((level) => suspicion([finding({ level })]).exact.mode)
  assert.deepEqual(modes, [
    'SHARE ROW EXCLUSIVE',
    'SHARE ROW EXCLUSIVE',
    'SHARE ROW EXCLUSIVE',
    'EXCLUSIVE',
    'ACCESS EXCLUSIVE',
  ])
})

test('of what may have been truncated and filled again, whole rows are kept', () => {
  const { exact } = suspicion([finding({ what: 'truncate' }), finding({ oid: 2 })])
  assert.deepEqual([exact.roots, exact.refilled], [[1, 2], [1]])
})

test('suspicions of several tries are joined', () => {
  const first = suspicion([finding({ oid: 9, level: 6 })])
  const second = suspicion([finding({ oid: 2, what: 'truncate' })])
  assert.deepEqual(second.joined(first).exact, {
    roots: [2, 9],
    refilled: [2],
    mode: 'ACCESS EXCLUSIVE',
  })
  assert.equal(first.joined(undefined), first)
})
