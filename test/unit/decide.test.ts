import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, matchRows, nothingFound, type LedgerRow } from '../../src/decide.ts'
import type { Folder } from '../../src/files/folder.ts'
import { fileOf, lineOfDecision, rowOf } from '../support/decision.ts'

// A folder on one line. `2_b` is a file whose content is `b`, so `3_b` is the same under another
// number; `2_b=x` has the content `x`, and `2_b=` is blank. `baseline:2` is a baseline up to 2.
function folderOf(line: string): Folder {
  const words = line.split(' ')
  const upto = /\bbaseline:(\d+)$/.exec(line)?.[1]
  return {
    dir: 'sql',
    files: words.flatMap((word) => {
      if (word.startsWith('baseline:')) return []
      const [, name, content] = /^(\d+_\w+)(?:=(\w*))?$/.exec(word) ?? []
      assert.ok(name, `“${word}” is no file`)
      return fileOf(name, content ?? name.replace(/^\d+_/, ''))
    }),
    baseline:
      upto === undefined
        ? undefined
        : { text: 'b', checksum: 'b', upto: BigInt(upto), version: upto },
    warnings: [],
  }
}

// A ledger on one line: names as above, with ids from 1 on. `~1,2` are the ids of `over`, `*` is a
// row that was never finished, `?` a relaxed commit, `<7` another previous row than the one before.
function ledgerOf(line: string): LedgerRow[] {
  const words = line === '' ? [] : line.split(' ')
  return words.map((word, index) => {
    const [, name, content, over, mark, previous] =
      /^(\d+_\w+)(?:=(\w*))?(?:~([\d,]+))?([*?])?(?:<(\d+))?$/.exec(word) ?? []
    assert.ok(name, `“${word}” is no row`)
    return rowOf(index + 1, name, content ?? name.replace(/^\d+_/, ''), {
      over: over?.split(',').map(Number) ?? [],
      finished: mark !== '*',
      flushed: mark !== '?',
      previous: previous === undefined ? index : Number(previous),
    })
  })
}

const found = { tables: 2, objects: 7, first: ['table public.users', 'view public.v'] }
const empty = { outOfOrder: 'refuse', baseline: 'auto', found: nothingFound } as const
const used = { ...empty, found }

// A case: what it is about, the folder, the ledger, and what is decided (wishes: see `empty`).
// Long lines stay lines: a case is one.
// oxfmt-ignore
const cases = [
  // Nothing recorded yet.
  ['an empty database takes the files', '1_a 2_b', '', 'pending 1_a 2_b, head 0', empty],
  ['or baseline and later files', '1_a 2_b 3_c baseline:2', '', 'baseline 2 for 1_a 2_b, pending 3_c, head 0', empty],
  ['or the baseline alone', '1_a 2_b baseline:2', '', 'baseline 2 for 1_a 2_b, pending, head 0', empty],
  ['a baseline without its history', '2_b 3_c baseline:2', '', 'baseline 2 for 2_b, pending 3_c, head 0', empty],
  ['or the files, if the baseline is to be ignored', '1_a 2_b baseline:2', '', 'pending 1_a 2_b, head 0', { ...empty, baseline: 'ignore' }],
  ['a database in use is refused', '1_a', '', 'refused DATABASE_NOT_EMPTY', used],
  ['also with a baseline', '1_a baseline:1', '', 'refused DATABASE_NOT_EMPTY', used],
  ['unless it is to be ignored: then the files run', '1_a baseline:1', '', 'pending 1_a, head 0', { ...used, baseline: 'ignore' }],
  // What is recorded, and what is not.
  ['all applied', '1_a 2_b', '1_a 2_b', 'up-to-date', empty],
  ['all applied, whatever stands beside it', '1_a 2_b baseline:2', '1_a 2_b', 'up-to-date', used],
  ['later files', '1_a 2_b 3_c', '1_a', 'pending 2_b 3_c, head 1', empty],
  ['later files, by number', '9_a 10_b', '9_a', 'pending 10_b, head 1', empty],
  ['a baseline is not run on a ledger with rows', '1_a 2_b 3_c baseline:3', '1_a', 'pending 2_b 3_c, head 1', empty],
  ['edited files are all named', '1_a=x 2_b 3_c=y', '1_a 2_b 3_c', 'refused FILE_CHANGED 1_a 3_c', empty],
  ['edited, with others pending', '1_a=x 2_b', '1_a', 'refused FILE_CHANGED 1_a', empty],
  ['edited, whatever is to be ignored', '1_a=x', '1_a', 'refused FILE_CHANGED 1_a', { ...used, outOfOrder: 'allow', baseline: 'ignore' }],
  // One content under two names.
  ['a file with a higher number', '1_a 5_b', '1_a 2_b', 'up-to-date', empty],
  ['a file with a lower number', '1_a 2_b', '1_a 5_b', 'up-to-date', empty],
  ['a file with another name', '1_a 2_c=b', '1_a 2_b', 'up-to-date', empty],
  ['renumbered, and one more', '1_a 5_b 6_c', '1_a 2_b', 'pending 6_c, head 2', empty],
  ['renumbered and edited is another file', '1_a 5_b=x', '1_a 2_b', 'pending 5_b, head 2, over 2', empty],
  ['two files, one row of their content', '1_a 2_b 3_b', '1_a 2_b', 'pending 3_b, head 2', empty],
  ['two files, two rows of their content', '1_a 4_b 5_b', '1_a 2_b 3_b', 'up-to-date', empty],
  ['two new files, one row of their content', '1_a 4_b 5_b', '1_a 2_b', 'pending 5_b, head 2', empty],
  ['renumbered, and the name taken meanwhile', '7_c=a', '5_a 7_c', 'up-to-date', empty],
  ['a row whose file is here is not lent', '2_b 3_b', '2_b', 'pending 3_b, head 1', empty],
  ['blank files go by name only', '1_a 3_x=', '1_a 2_y=', 'pending 3_x, head 2, over 2', empty],
  ['blank files under their names', '1_a= 2_b=', '1_a= 2_b=', 'up-to-date', empty],
  ['a blank file that got a content', '1_a', '1_a=', 'refused FILE_CHANGED 1_a', empty],
  // Rows without a file.
  ['missing, with nothing pending', '1_a 3_c', '1_a 2_b 3_c', 'up-to-date', empty],
  ['missing, with something pending', '1_a 3_c 4_d', '1_a 2_b 3_c', 'refused FILE_MISSING 2_b', empty],
  ['missing, whatever is allowed', '2_b 3_c', '1_a 2_b', 'refused FILE_MISSING 1_a', { ...empty, outOfOrder: 'allow', baseline: 'ignore' }],
  ['all that are missing are named', '3_c 4_d', '1_a 2_b 3_c', 'refused FILE_MISSING 1_a 2_b', empty],
  ['an older image after a rollback', '1_a', '1_a 2_b 3_c', 'up-to-date', empty],
  ['a hotfix on an older image', '1_a 4_h', '1_a 2_b 3_c', 'pending 4_h, head 3, over 2 3', empty],
  ['the next hotfix on it', '1_a 4_h 5_i', '1_a 2_b 3_c 4_h~2,3', 'pending 5_i, head 4, over 2 3', empty],
  ['the newer image does not see the hotfix', '1_a 2_b 3_c 5_e', '1_a 2_b 3_c 4_h~2,3', 'pending 5_e, head 4, over 4', empty],
  ['what one row went over and another knew', '1_a 3_c 5_e', '1_a 2_b 3_c~2 4_d', 'pending 5_e, head 4, over 2 4', empty],
  ['known to one later row is known', '1_a 3_c 4_d 5_e', '1_a 2_b 3_c~2 4_d', 'refused FILE_MISSING 2_b', empty],
  ['known through a renumbered file', '1_a 9_c 10_d', '1_a 2_b 3_c', 'refused FILE_MISSING 2_b', empty],
  // Order.
  ['a late branch', '1_a 2_b 3_c', '1_a 3_c', 'refused FILE_OUT_OF_ORDER 2_b 3_c', empty],
  ['a late branch, allowed', '1_a 2_b 3_c', '1_a 3_c', 'pending 2_b, head 2', { ...empty, outOfOrder: 'allow' }],
  ['late files are all named', '1_a 2_b 3_c 4_d 5_e', '1_a 4_d', 'refused FILE_OUT_OF_ORDER 2_b 4_d 3_c 4_d', empty],
  ['late by number, not by text', '9_a 10_b 11_c', '9_a 11_c', 'refused FILE_OUT_OF_ORDER 10_b 11_c', empty],
  ['lower than a row of another image only', '1_a 2_h', '1_a 3_c', 'pending 2_h, head 2, over 2', empty],
  ['lower than what was renumbered upwards', '1_a 4_d 5_b', '1_a 2_b', 'refused FILE_OUT_OF_ORDER 4_d 5_b', empty],
  ['higher than what was renumbered downwards', '1_a 2_b 3_c', '1_a 5_b', 'pending 3_c, head 2', empty],
  // What no image of this application wrote.
  ['the ledger of another application', '1_a 2_b', '1_x 2_y', 'refused LEDGER_OF_ANOTHER 1_x', empty],
  ['one file in common is enough', '1_a 5_b', '1_a 2_y', 'pending 5_b, head 2, over 2', empty],
  ['a blank file in common is none', '1_a=', '2_b=', 'refused LEDGER_OF_ANOTHER 2_b', empty],
  ['an unfinished row', '1_a 2_b', '1_a 2_b*', 'refused LEDGER_DAMAGED 2_b', empty],
  ['a row that refers to none', '1_a 2_b', '1_a 2_b<0', 'refused LEDGER_DAMAGED 2_b', empty],
  ['a row that refers to one that is gone', '1_a 2_b', '1_a 2_b<7', 'refused LEDGER_DAMAGED 2_b', empty],
  ['a first row that refers to another', '1_a', '1_a<1', 'refused LEDGER_DAMAGED 1_a', empty],
  // Commits that a crash could take back.
  ['a relaxed last row', '1_a 2_b', '1_a 2_b?', 'pending, head 2, flush', empty],
  ['a relaxed last row, and a file', '1_a 2_b 3_c', '1_a 2_b?', 'pending 3_c, head 2, flush', empty],
  ['a relaxed row with a flushed one behind it', '1_a 2_b', '1_a? 2_b', 'up-to-date', empty],
  ['a relaxed last row of another image', '1_a', '1_a 2_b?', 'pending, head 2, over 2, flush', empty],
  ['relaxed and missing, with nothing pending', '1_a 3_c', '1_a 2_b 3_c?', 'pending, head 3, over 2, flush', empty],
  ['relaxed and edited', '1_a=x', '1_a?', 'refused FILE_CHANGED 1_a', empty],
] as const

for (const [about, folder, ledger, decided, wishes] of cases) {
  test(`${about}: ${folder} on ${ledger || 'nothing'} is ${decided}`, () => {
    const decision = decide(folderOf(folder), ledgerOf(ledger), wishes.found, wishes)
    assert.equal(lineOfDecision(decision), decided)
  })
}

test('ids are taken as they are, with gaps', () => {
  const rows = [rowOf(5, '1_a', 'a', { previous: 0 }), rowOf(9, '2_b', 'b', { previous: 5 })]
  const decision = decide(folderOf('1_a 2_b 3_c'), rows, nothingFound, empty)
  assert.equal(lineOfDecision(decision), 'pending 3_c, head 9')
})

test('what is found is told in part, and whether it is more', () => {
  const decision = decide(folderOf('1_a'), [], found, empty)
  assert.equal(
    decision.kind === 'refused' && decision.failure.message,
    'the ledger is empty, but the database holds 7 objects: table public.users, view public.v, ...',
  )
})

test('a refusal brings the advice of its code after the names', () => {
  const decision = decide(folderOf('1_a=x'), ledgerOf('1_a'), nothingFound, empty)
  assert.equal(decision.kind, 'refused')
  assert.match(decision.kind === 'refused' ? (decision.failure.more.at(-1) ?? '') : '', /restore/)
})

// oxfmt-ignore
const noted = [
  ['1_a 2_b', '1_a 2_b', []],
  ['1_a 5_b', '1_a 2_b', ['5_b is applied already, as 2_b']],
  ['1_a', '1_a 2_b', ['the schema is ahead of this folder by 1 file: 2_b']],
  ['1_a', '1_a 2_b 3_c', ['the schema is ahead of this folder by 2 files: 2_b, 3_c']],
  ['1_a 3_c', '1_a 2_b 3_c', ['applied, but no longer in this folder: 2_b']],
  ['7_g', '1_a 2_b 3_c 4_d 5_e 6_f 7_g', ['applied, but no longer in this folder: 1_a, 2_b, 3_c, 4_d, 5_e, ...']],
  ['1_a 4_b 5_e', '1_a 2_b 3_c', ['4_b is applied already, as 2_b', 'the schema is ahead of this folder by 1 file: 3_c']],
] as const

for (const [folder, ledger, notes] of noted) {
  test(`${folder} on ${ledger} is noted: ${notes.join('; ') || 'nothing'}`, () => {
    const decision = decide(folderOf(folder), ledgerOf(ledger), nothingFound, empty)
    assert.deepEqual(decision.kind === 'refused' ? undefined : decision.notes, notes)
  })
}

test('each file goes with one row, by name before content, and no row with two', () => {
  const rows = ledgerOf('1_a 2_x=c 3_y=c 4_c')
  const { files } = folderOf('1_a 4_c 5_p=c 6_q=c 7_r=c')
  const pairs = [...matchRows(files, rows)].map(([file, row]) => `${file.file} as ${row.name}`)
  assert.deepEqual(pairs, ['1_a as 1_a', '4_c as 4_c', '5_p as 2_x', '6_q as 3_y'])
})

test('what is given is not changed', () => {
  const folder = folderOf('1_a 4_b 5_e')
  const rows = ledgerOf('1_a 2_b 3_c')
  const before = structuredClone([folder, rows])
  decide(folder, rows, nothingFound, empty)
  assert.deepEqual([folder, rows], before)
})
