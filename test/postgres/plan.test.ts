import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlanDocument } from '../../src/plan.ts'
import { planText } from '../../src/report/plan-text.ts'
import { freshDatabase } from '../support/database.ts'
import { folderOf } from '../support/folder.ts'
import { assertSucceeded } from '../support/output.ts'
import { runProgram } from '../support/program.ts'

test('a plan shows what would run in its order, writes nothing, and takes no lock', async () => {
  await using db = await freshDatabase()
  using folder = folderOf({
    'baseline.sql':
      '-- lockstep: baseline 1\ncreate table a (name text);\ncreate table b (id int);',
    '0001_ab.sql': 'create table a (name text); create table b (id int);',
    '0002_secret.sql': `insert into a values ('secret one');`,
  })
  const env = { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path }
  const plan = (...args: string[]) => runProgram({ env, args: ['plan', ...args], form: 'bundle' })
  await db.sql('select pg_advisory_lock(-6666451310881527300)')
  const before = await plan('--json', '--exit-code')
  assert.equal(before.exit, 2)
  assert.equal(before.stderr, '')
  const document: PlanDocument = JSON.parse(before.stdout)
  assert.equal(document.state, 'pending')
  assert.deepEqual(document.work, [
    {
      file: 'baseline.sql',
      mode: 'baseline',
      statements: 2,
      covers: ['0001_ab.sql'],
      directives: [],
    },
    { file: '0002_secret.sql', mode: 'transaction', statements: 1, covers: [], directives: [] },
  ])
  const text = await plan()
  assertSucceeded(text, '2 files would run')
  assert.equal(planText(document), text.stdout)
  assert.doesNotMatch(text.output + before.output, /secret one|insert/)
  assert.deepEqual(await db.sql(`select to_regnamespace('lockstep') as made`), [{ made: null }])
  await db.sql('select pg_advisory_unlock_all()')

  assertSucceeded(await runProgram({ env, form: 'bundle' }))
  assertSucceeded(await plan('--exit-code'), 'nothing would run')

  folder.write({ '0002_secret.sql': `insert into a values ('secret two');` })
  const refused = await plan()
  assert.equal(refused.exit, 1)
  assert.match(
    refused.stdout,
    /would refuse: FILE_CHANGED\n0002_secret\.sql was edited: statement 1 of 1 differs\n/,
  )
  assert.doesNotMatch(refused.output, /secret (one|two)|insert/)

  folder.write({
    '0002_secret.sql': `insert into a values ('secret one');`,
    '0003_c.sql': 'x;\ncommit;',
  })
  const unfit = await plan('--json')
  assert.equal(unfit.exit, 1)
  const { failure, work }: PlanDocument = JSON.parse(unfit.stdout)
  assert.equal(failure?.code, 'STATEMENT_REFUSED')
  assert.match(failure.message, /^0003_c\.sql:2:1 /)
  assert.deepEqual(work, [])
})
