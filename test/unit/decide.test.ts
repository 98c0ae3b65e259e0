import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, type Wishes } from '../../src/decide.ts'
import { matchRows } from '../../src/matching.ts'
import { nothingFound } from '../../src/objections.ts'
import type { LedgerRow } from '../../src/recorded.ts'
import { folderOf, ledgerOf, lineOfDecision, rowOf, stepsOf } from '../support/decision.ts'

const found = {
  tables: 2,
  objects: 7,
  first: ['table public.users', 'view public.v'],
  histories: ['public.flyway_schema_history (Flyway)'],
}
const empty = {
  outOfOrder: 'refuse',
  baseline: 'auto',
  phase: undefined,
  found: nothingFound,
  steps: '',
  hasSucceeded: true,
} as const
const used = { ...empty, found }
const first = { ...empty, hasSucceeded: false }
const before = { ...empty, phase: 'before-rollout' } as const
const after = { ...empty, phase: 'after-rollout' } as const
const all = { ...empty, phase: 'all' } as const

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
  // Meaning.
  ['other bytes of one meaning', "1_a=a' 2_b=''", '1_a 2_b=', 'up-to-date', empty],
  ['and again with others', "1_a=a'' 2_c", "1_a=a'", 'pending 2_c, head 1', empty],
  ['renumbered with other bytes', "5_x=a'", '1_a', 'up-to-date', empty],
  // A first success is worth a row even where nothing is to be done.
  ['all applied by runs that were cut', '1_a', '1_a', 'pending, head 1', first],
  // Baselines that say what they stand for.
  ['what is covered needs no file', '3_c baseline:2:1_a,2_b', '', 'baseline 2 for 1_a 2_b, pending 3_c, head 0', empty],
  ['nor any file at all', 'baseline:2:1_a,2_b', '', 'baseline 2 for 1_a 2_b, pending, head 0', empty],
  ['a file that it lacks is an ordinary one', '1_a 2_b 3_c baseline:3:1_a,3_c', '', 'baseline 3 for 1_a 3_c, pending 2_b, head 0', empty],
  ['also behind a run that was cut', '1_a 2_b 3_c baseline:3:1_a,3_c', '1_a# 3_c#', 'pending 2_b, head 2', first],
  ['but not once a run has succeeded', '1_a 2_b 3_c baseline:3:1_a,3_c', '1_a# 3_c#', 'refused FILE_OUT_OF_ORDER 2_b 3_c', empty],
  ['a covered file under a new number', '4_b baseline:2:1_a,2_b', '', 'baseline 2 for 1_a 2_b, pending, head 0', empty],
  ['and when that is applied', '4_b baseline:2:1_a,2_b', '1_a# 2_b#', 'up-to-date', empty],
  ['a covered file that was edited', '2_b=x baseline:2:1_a,2_b', '', 'refused FILE_CHANGED 2_b', empty],
  ['a history that is gone cannot run', '2_b baseline:2:1_a,2_b', '', 'refused BASELINE_GAP 1_a', { ...empty, baseline: 'ignore' }],
  ['a squash on a database that has all', '3_c baseline:2:1_a,2_b', '1_a 2_b', 'pending 3_c, head 2', empty],
  ['a squash of everything', 'baseline:2:1_a,2_b', '1_a 2_b', 'up-to-date', empty],
  ['a squash on a database that is too old', '3_c baseline:2:1_a,2_b', '1_a', 'refused BASELINE_GAP 2_b', empty],
  ['what the folder still has can be applied', '2_b 3_c baseline:2:1_a,2_b', '1_a', 'pending 2_b 3_c, head 1', empty],
  ['what was squashed away is known', '4_d baseline:2:1_a,2_b', '1_a 2_b 3_x', 'pending 4_d, head 3, over 3', empty],
  ['covered and renumbered in the ledger', 'baseline:2:1_a,2_b', '1_a 7_b', 'up-to-date', empty],
  ['another’s, whatever is covered', '3_c baseline:2:1_a,2_b', '1_x', 'refused LEDGER_OF_ANOTHER 1_x', empty],
  // Phases.
  ['a first run takes everything in order', '1_a! 2_b', '', 'pending 1_a 2_b, head 0', before],
  ['also when it was cut', '1_a 2_b! 3_c', '1_a', 'pending 2_b 3_c, head 1', { ...first, phase: 'before-rollout' }],
  ['a phase must be told', '1_a 2_b!', '1_a', 'refused PHASE_UNSET 2_b', empty],
  ['not where nothing waits', '1_a! 2_b', '1_a', 'pending 2_b, head 1', empty],
  ['held', '1_a 2_b 3_c!', '1_a', 'pending 2_b, later 3_c, head 1', before],
  ['held, and nothing else', '1_a 3_c!', '1_a', 'up-to-date, later 3_c', before],
  ['held, with a row missing', '2_b 3_c!', '1_a 2_b', 'up-to-date, later 3_c', before],
  ['due', '1_a 2_b 3_c!', '1_a 2_b', 'pending 3_c, head 2', after],
  ['due or not', '1_a 2_b 3_c!', '1_a', 'pending 2_b 3_c, head 1', all],
  ['behind a held one', '1_a 2_b! 3_c', '1_a', 'refused FILE_BEHIND_HELD 3_c 2_b', before],
  ['past a held one', '1_a 2_b! 3_c', '1_a', 'pending 3_c, later 2_b, head 1', { ...before, outOfOrder: 'allow' }],
  ['what was passed is not out of order', '1_a 2_b! 3_c', '1_a 3_c', 'pending 2_b, head 2', after],
  ['up to the first that is not due', '1_a 2_b! 3_c', '1_a', 'pending 2_b, later 3_c, head 1', after],
  ['nothing is due yet', '1_a 2_b', '1_a', 'up-to-date, later 2_b', after],
  ['due behind what is not', '1_a 2_b 3_c!', '1_a', 'refused FILE_BEFORE_ROLLOUT 3_c 2_b', after],
  // What an applied file breaks.
  ['an image without the version', '1_a', '1_a 2_b 3_c^2', 'refused IMAGE_TOO_OLD 3_c', empty],
  ['one that has the version', '1_a 2_b', '1_a 2_b 3_c^2', 'up-to-date', empty],
  ['one that has it under another number', '1_a 5_b', '1_a 2_b 3_c^2', 'up-to-date', empty],
  ['one that covers it', 'baseline:2:1_a,2_b', '1_a 2_b 3_c^2', 'up-to-date', empty],
  ['a wrong one is lifted', '1_a 2_b', '1_a 2_b^2', 'pending, head 2, row 2 breaks none', empty],
  ['or set', '1_a 2_b<1', '1_a 2_b', 'pending, head 2, row 2 breaks 1', empty],
  ['with files', '1_a 2_b 3_c', '1_a^1 2_b', 'pending 3_c, head 2, row 1 breaks none', empty],
  ['not by an older image', '1_a 2_b', '1_a 2_b^2 3_c', 'up-to-date', empty],
  // Half done.
  ['a half-done file goes on', '1_a 2_n=x.y&', '1_a', 'pending 2_n, head 1', { ...empty, steps: '2_n=x' }],
  ['though it is low', '1_a 2_n=x.y& 3_c', '1_a 3_c', 'pending 2_n, head 2', { ...empty, steps: '2_n=x' }],
  ['though nothing else is there', '1_n=x.y&', '', 'pending 1_n, head 0', { ...used, steps: '1_n=x' }],
  ['its end may be edited', '1_a 2_n=x.z&', '1_a', 'pending 2_n, head 1', { ...empty, steps: '2_n=x' }],
  ['also what only began', '1_a 2_n=x.z&', '1_a', 'pending 2_n, head 1', { ...empty, steps: '2_n=x.y?' }],
  ['what is done may not', '1_a 2_n=z.y&', '1_a', 'refused FILE_CHANGED 2_n', { ...empty, steps: '2_n=x' }],
  ['under another number', '1_a 5_n=x.y&', '1_a', 'pending 5_n, head 1, 2_n goes on as 5_n', { ...empty, steps: '2_n=x' }],
  ['low under another number', '1_a 2_n=x.y& 3_c', '1_a 3_c', 'pending 2_n, head 2, 5_n goes on as 2_n', { ...empty, steps: '5_n=x' }],
  ['its name taken meanwhile', '1_a 2_n=z& 5_m=x.y&', '1_a', 'pending 2_n 5_m, head 1, 2_n goes on as 5_m', { ...empty, steps: '2_n=x' }],
  ['a file in one transaction is another', '1_a 5_n=x.y', '1_a', 'pending 5_n, head 1', { ...empty, steps: '2_n=x' }],
  ['of another image', '1_a 3_c', '1_a', 'pending 3_c, head 1', { ...empty, steps: '2_n=x' }],
  ['held while half done and edited', '1_a 2_n=z.y&!', '1_a', 'up-to-date, later 2_n', { ...before, steps: '2_n=x' }],
  ['a held file edited before another applied it', '1_a 2_h=x!', '1_a 2_h', 'up-to-date', before],
  ['which its own phase does not pass', '1_a 2_h=x!', '1_a 2_h', 'refused FILE_CHANGED 2_h', after],
  ['its name given to what was renumbered', '1_b 2_h=x!', '2_h=b', 'up-to-date', before],
  ['held while half done', '1_a 2_n=x.y&!', '1_a', 'up-to-date, later 2_n', { ...before, steps: '2_n=x' }],
] as const

for (const [about, folder, ledger, decided, wishes] of cases) {
  test(`${about}: ${folder} on ${ledger || 'nothing'} is ${decided}`, () => {
    const recorded = { ...wishes, rows: ledgerOf(ledger), steps: stepsOf(wishes.steps) }
    const decision = decide(folderOf(folder), recorded, wishes.found, wishes)
    assert.equal(lineOfDecision(decision), decided)
  })
}

function recordedOf(rows: readonly LedgerRow[], steps = '') {
  return { rows, steps: stepsOf(steps), hasSucceeded: true }
}

test('ids are taken as they are, with gaps', () => {
  const rows = [rowOf(5, '1_a', 'a', { previous: 0 }), rowOf(9, '2_b', 'b', { previous: 5 })]
  const decision = decide(folderOf('1_a 2_b 3_c'), recordedOf(rows), nothingFound, empty)
  assert.equal(lineOfDecision(decision), 'pending 3_c, head 9')
})

test('what is found is told in part, with other tools’ histories and the ways on', () => {
  const decision = decide(folderOf('1_a baseline:1'), recordedOf([]), found, empty)
  assert.ok(decision.kind === 'refused')
  assert.deepEqual(
    [decision.failure.message, ...decision.failure.more],
    [
      'the ledger is empty, but the database holds 7 objects: table public.users, view public.v, ...',
      'another tool has kept its history here: public.flyway_schema_history (Flyway)',
      'it is what baseline.sql builds: lockstep adopt --baseline',
      'it has what the files up to a version build: lockstep adopt --upto VERSION',
      'others use it too, and all files are to run: LOCKSTEP_BASELINE=ignore',
    ],
  )
})

test('a refusal brings the advice of its code after the names', () => {
  const decision = decide(folderOf('1_a=x'), recordedOf(ledgerOf('1_a')), nothingFound, empty)
  assert.equal(decision.kind, 'refused')
  const more = decision.kind === 'refused' ? decision.failure.more.join('\n') : ''
  assert.match(more, /restore.*\n.*adopt --file 1_a$/)
})

// oxfmt-ignore
const noted = [
  ['1_a 2_b', '1_a 2_b', []],
  ['1_a 5_b', '1_a 2_b', ['5_b is applied already, as 2_b']],
  ['1_a', '1_a 2_b', ['the schema is ahead of this folder by 1 file: 2_b']],
  ['1_a', '1_a 2_b 3_c', ['the schema is ahead of this folder by 2 files: 2_b, 3_c']],
  ['1_a 3_c', '1_a 2_b 3_c', ['applied, but no longer in this folder: 2_b']],
  ['7_g', '1_a 2_b 3_c 4_d 5_e 6_f 7_g', ['applied, but no longer in this folder: 1_a, 2_b, 3_c, 4_d, 5_e, ...']],
  ["1_a=a' 2_b=b'", "1_a 2_b=b'", ['edited in comments or white space only: 1_a']],
  ['1_a 2_b!', '1_a', ['1 file waits for the phase after-rollout: 2_b'], before],
  ['1_a 2_b 3_c', '1_a', ['2 files wait for the phase before-rollout: 2_b, 3_c'], after],
  ['1_a', '1_a', ['2_n of another image is half done: 1 statement done; this folder lacks it'], empty, '2_n=x.y?'],
  ['1_a 5_n=x.y&', '1_a', ['5_n was begun as 2_n: it goes on there, 1 statement done'], empty, '2_n=x'],
  ['1_a 4_b 5_e', '1_a 2_b 3_c', ['4_b is applied already, as 2_b', 'the schema is ahead of this folder by 1 file: 3_c']],
] as const satisfies [string, string, string[], Wishes?, string?][]

for (const [folder, ledger, notes, wishes = empty, steps = ''] of noted) {
  test(`${folder} on ${ledger} is noted: ${notes.join('; ') || 'nothing'}`, () => {
    const decision = decide(
      folderOf(folder),
      recordedOf(ledgerOf(ledger), steps),
      nothingFound,
      wishes,
    )
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
  const copy = structuredClone([folder, rows])
  decide(folder, recordedOf(rows), nothingFound, empty)
  assert.deepEqual([folder, rows], copy)
})

const edits = [
  ['a.b.c', 'a.b.x', 'statement 3 of 3 differs'],
  ['a', 'x', 'statement 1 of 1 differs'],
  ['a.b.c', 'x.b.y', '2 of 3 statements differ, the first is statement 1'],
  ['a', 'a.b.c', '2 statements added at the end'],
  ['a.b', 'a', '1 statement removed at the end'],
  ['a', 'x.y.a', '2 statements added at the beginning'],
  ['a.b', 'a.x.b', '1 statement added behind statement 1'],
  ['a.b.c', 'a.c', '1 statement removed behind statement 1'],
  ['a.b.c', 'b.c', '1 statement removed at the beginning'],
  ['a.a', 'a.a.a', '1 statement added at the end'],
  ['a.b.c', 'a.x', 'it differs from statement 2 on, of 3 as applied and 2 now'],
  ['a.b', '', 'its statements are gone'],
  ['', 'a', 'its statements differ'],
] as const

for (const [applied, now, words] of edits) {
  test(`an edit of ${applied || 'nothing'} to ${now || 'nothing'} is told: ${words}`, () => {
    const rows = [rowOf(1, '1_a', applied)]
    const decision = decide(folderOf(`1_a=${now}`), recordedOf(rows), nothingFound, empty)
    assert.equal(
      decision.kind === 'refused' && decision.failure.message,
      `1_a was edited: ${words}`,
    )
  })
}

test('files whose bytes are those that were applied are not cut into tokens', () => {
  const folder = folderOf('1_a 3_c baseline:2:1_a,2_b')
  const files = folder.files.map(({ file, version, text, checksum, directives }) => ({
    file,
    version,
    text,
    checksum,
    directives,
    get meaning(): never {
      throw new Error('asked for the meaning')
    },
  }))
  for (const ledger of ['1_a 2_b 3_c', '1_a 2_b 3_c 4_d'] as const) {
    const recorded = recordedOf(ledgerOf(ledger))
    const decision = decide({ ...folder, files }, recorded, nothingFound, empty)
    assert.equal(decision.kind, 'up-to-date')
  }
})
