import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, type Wishes } from '../../src/decide.ts'
import { nothingFound } from '../../src/objections.ts'
import { folderOf, ledgerOf, lineOfDecision, stepsOf } from '../support/decision.ts'

// Sequences of images for which no server is needed; those on PostgreSQL are in test/postgres.

const strict: Wishes = { outOfOrder: 'refuse', baseline: 'auto', phase: undefined }

function decided(image: string, rows: string, steps = '', wishes = strict): string {
  const recorded = { rows: ledgerOf(rows), steps: stepsOf(steps), hasSucceeded: true }
  return lineOfDecision(decide(folderOf(image), recorded, nothingFound, wishes))
}

test('a half-done file is renumbered, and the branch that has its old number goes on, too', () => {
  const [branch, merged] = ['1_a 3_n=x.y.z&', '1_a 2_b 4_n=x.y.z&']
  // The branch is cut behind its first statement; the other image takes the steps over, and is cut.
  assert.equal(decided(branch, '1_a'), 'pending 3_n, head 1')
  assert.equal(decided(merged, '1_a', '3_n=x'), 'pending 2_b 4_n, head 1, 3_n goes on as 4_n')
  // The branch takes them back, and finishes.
  assert.equal(
    decided(branch, '1_a 2_b', '4_n=x.y'),
    'pending 3_n, head 2, over 2, 4_n goes on as 3_n',
  )
  assert.equal(decided(branch, '1_a 2_b 3_n=x.y.z~2'), 'up-to-date')
  assert.equal(decided(merged, '1_a 2_b 3_n=x.y.z~2'), 'up-to-date')
})

test('a half-done file is left behind by an older image, which goes on with its own', () => {
  const [newer, older] = ['1_a 2_n=x.y&', '1_a']
  assert.equal(decided(newer, '1_a'), 'pending 2_n, head 1')
  assert.equal(decided(older, '1_a', '2_n=x'), 'up-to-date')
  assert.equal(decided('1_a 3_h', '1_a', '2_n=x'), 'pending 3_h, head 1')
  assert.equal(decided('1_a 3_h', '1_a 3_h', '2_n=x'), 'up-to-date')
  // It comes back below what was applied meanwhile.
  assert.equal(decided('1_a 2_n=x.y& 3_h', '1_a 3_h', '2_n=x'), 'pending 2_n, head 2')
  assert.equal(decided('1_a 2_n=x.y& 3_h', '1_a 3_h 2_n=x.y'), 'up-to-date')
})

test('a held file is edited before anybody applies it, and the image that held it first comes back', () => {
  const before: Wishes = { ...strict, phase: 'before-rollout' }
  const after: Wishes = { ...strict, phase: 'after-rollout' }
  const [first, second] = ['1_a 2_h=x!', '1_a 2_h=y!']
  assert.equal(decided(first, '1_a', '', before), 'up-to-date, later 2_h')
  assert.equal(decided(second, '1_a', '', after), 'pending 2_h, head 1')
  assert.equal(decided(first, '1_a 2_h=y', '', before), 'up-to-date')
  assert.equal(decided(first, '1_a 2_h=y', '', after), 'refused FILE_CHANGED 2_h')
  assert.equal(decided(second, '1_a 2_h=y', '', after), 'up-to-date')
})
