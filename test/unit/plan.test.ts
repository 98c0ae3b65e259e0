import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, type Wishes } from '../../src/decide.ts'
import { nothingFound } from '../../src/objections.ts'
import { planOf } from '../../src/plan.ts'
import { planText } from '../../src/report/plan-text.ts'
import { folderOf, ledgerOf, stepsOf } from '../support/decision.ts'

const strict: Wishes = { outOfOrder: 'refuse', baseline: 'auto', phase: 'before-rollout' }

test('a plan tells mode, statements, directives, the name under which a file was begun, and what is not due', () => {
  const folder = folderOf('1_a 4_n=x.y&<1 5_c 6_h!')
  const recorded = { rows: ledgerOf('1_a'), steps: stepsOf('3_n=x'), hasSucceeded: true }
  const decision = decide(folder, recorded, nothingFound, strict)
  assert.equal(
    planText(planOf('db:5432/crm', strict.phase, folder, decision)),
    `db:5432/crm, phase before-rollout

  4_n  statement by statement, 2 statements; no-transaction; breaks-before 1; begun as 3_n
  5_c  one transaction, 1 statement

2 files would run
not due in this phase: 6_h
4_n was begun as 3_n: it goes on there, 1 statement done
1 file waits for the phase after-rollout: 6_h
`,
  )
})

test('what a file may do to guarded tables is part of the plan', () => {
  const folder = folderOf('1_a')
  const table = { schema: 'crm', name: 'leads' }
  const allowances = [{ words: ['delete', 'truncate'] as const, atMost: 40, table, line: 1 }]
  const files = folder.files.map((file) => ({
    ...file,
    directives: { ...file.directives, allowances },
  }))
  const image = { ...folder, files }
  const recorded = { rows: [], steps: [], hasSucceeded: false }
  const document = planOf('db', undefined, image, decide(image, recorded, nothingFound, strict))
  assert.deepEqual(document.work[0]?.directives, ['allow delete, truncate <= 40 on crm.leads'])
})

test('a plan that would be refused tells why, and no file', () => {
  const folder = folderOf('1_a=x 2_b')
  const recorded = { rows: ledgerOf('1_a'), steps: [], hasSucceeded: true }
  const decision = decide(folder, recorded, nothingFound, strict)
  const text = planText(planOf('db', undefined, folder, decision))
  assert.match(text, /^db\n\nlockstep migrate would refuse: FILE_CHANGED\n1_a was edited: .*\n/)
  assert.doesNotMatch(text, /2_b/)
})
