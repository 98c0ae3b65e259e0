import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check, isRefused } from '../../src/check.ts'
import { checkText } from '../../src/report/check-text.ts'
import { folderOf } from '../support/folder.ts'
import { runProgram } from '../support/program.ts'

const files = {
  '0001_a.sql': 'create table a (id int);\n',
  '0002_b.sql': '-- lockstep: breaks-before 1\nselect 1;\n é commit;\n',
  'baseline.sql': '-- lockstep: baseline 1\nvacuum;\n',
}

test('a folder is checked whole, with its baseline, and without a database', async () => {
  using folder = folderOf(files)
  const ran = await runProgram({ args: ['check', '--dir', folder.path] })
  assert.deepEqual(ran.stdout.replaceAll(folder.path, 'sql').split('\n'), [
    'error      baseline.sql:2:1 VACUUM cannot run inside of a transaction',
    '           put it into a file that begins with “-- lockstep: no-transaction” (not-in-transaction)',
    'warning    0002_b.sql:1:1 older pods that are started anew during the rollout are refused from this file on',
    '           add “-- lockstep: after-rollout”, unless that is meant (breaks-while-rolling)',
    'done       2 files in sql: 1 place to mend, exit 1',
    '',
  ])
  assert.deepEqual([ran.exit, ran.stderr], [1, ''])
})

test('a warning alone is no reason to refuse', async () => {
  using folder = folderOf({ ...files, 'baseline.sql': '-- lockstep: baseline 1\nselect 1;\n' })
  const document = await check(folder.path, 1000)
  assert.equal(document.findings.length, 1)
  assert.equal(isRefused(document), false)
  assert.match(checkText(document, 'text'), /: nothing to refuse, exit 0\n$/)
})

test('what is wrong with the folder itself is told in every form', async () => {
  using folder = folderOf({ 'baseline.sql': '-- lockstep: baselin 1\n', '0001_a.sql': '' })
  const document = await check(folder.path, 1000)
  assert.equal(isRefused(document), true)
  assert.match(
    checkText(document, 'text'),
    /^refused {4}baseline\.sql:1:1 directive “baselin” .*\n(.+\n)*done +DIRECTIVE_UNKNOWN, exit 1\n$/,
  )
  assert.match(
    checkText(document, 'github'),
    /^::error title=DIRECTIVE_UNKNOWN::baseline\.sql:1:1 .*%0A.*\n$/,
  )
  const read = JSON.parse(checkText(document, 'json'))
  assert.deepEqual([read.failure.code, read.findings], ['DIRECTIVE_UNKNOWN', []])
})

test('a folder that is not there ends as it does in a run', async () => {
  const ran = await runProgram({ args: ['check', '--dir', '/nowhere'] })
  assert.equal(ran.exit, 64)
  assert.match(
    ran.stdout,
    /^refused {4}cannot read the folder .*\n.*\ndone {7}FOLDER_UNREADABLE, exit 64\n$/,
  )
})

test('annotations keep within their line', async () => {
  using folder = folderOf({ '0001_a.sql': 'commit;' })
  const document = { ...(await check(folder.path, 1000)), dir: 'a,b:c%' }
  assert.match(
    checkText(document, 'github'),
    /^::error file=a%2Cb%3Ac%25\/0001_a\.sql,line=1,col=1,title=transaction-control::it begins or ends .*\n$/,
  )
})

test('directives and statements are told together, each at its line', async () => {
  using folder = folderOf({
    '0001_a.sql': '-- lockstep: alow delete on leads\nvacuum;\n',
    '0002_b.sql': 'commit;\n-- lockstep: after-rollout\n',
  })
  const { findings } = await check(folder.path, 1000)
  assert.deepEqual(
    findings.map(({ file, line, rule }) => `${file}:${line} ${rule}`),
    [
      '0001_a.sql:1 directive',
      '0001_a.sql:2 not-in-transaction',
      '0002_b.sql:1 transaction-control',
      '0002_b.sql:2 directive',
    ],
  )
})
