import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adoptionOf, type Adoptable } from '../../src/adoption.ts'
import { folderOf, ledgerOf, stepsOf } from '../support/decision.ts'

const baseline = { what: 'baseline' } as const
const upto = (version: bigint) => ({ what: 'upto', version }) as const
const file = (name: string) => ({ what: 'file', name }) as const
const forget = (name: string) => ({ what: 'forget', name }) as const

/** `records 1_a 2_b, head 0, over 3`. */
function lineOf(folder: string, ledger: string, adoptable: Adoptable, steps = ''): string {
  const recorded = { rows: ledgerOf(ledger), steps: stepsOf(steps), hasSucceeded: false }
  const adoption = adoptionOf(folderOf(folder), recorded, adoptable)
  if (adoption.kind === 'refused') return `${adoption.failure.code}: ${adoption.failure.message}`
  const { records, head, over, meaning, forgets } = adoption
  return [
    ...(records.length > 0
      ? [`records ${records.map((entry) => entry.file).join(' ')} behind ${head}`]
      : []),
    ...(records.length > 0 && over.length > 0 ? [`over ${over.join(' ')}`] : []),
    ...(meaning ? [`row ${meaning.id} gets a meaning`] : []),
    ...(forgets === undefined ? [] : [`forgets ${forgets}`]),
  ].join(', ')
}

for (const [folder, ledger, adoptable, does, steps] of [
  ['1_a 2_b 3_c', '', upto(2n), 'records 1_a 2_b behind 0'],
  ['1_a 2_b 3_c', '1_a', upto(3n), 'records 2_b 3_c behind 1'],
  ['1_a 2_b', '1_a 2_b', upto(2n), ''],
  ['1_a 3_c', '1_a 2_x', upto(3n), 'records 3_c behind 2, over 2'],
  ['1_a 5_b', '1_a 2_b', upto(5n), ''],
  ['1_a 3_c', '', upto(2n), 'ADOPT_INVALID: there is no file of version 2 in sql'],
  ['3_c baseline:2:1_a,2_b', '', upto(2n), 'records 1_a 2_b behind 0'],
  ['1_a 2_b 3_c baseline:2', '', baseline, 'records 1_a 2_b behind 0'],
  ['2_b 3_c baseline:2:1_a,2_b', '', baseline, 'records 1_a 2_b behind 0'],
  ['1_a 2_b 3_c baseline:3:1_a,3_c', '', baseline, 'records 1_a 3_c behind 0'],
  ['2_b=x baseline:2:1_a,2_b', '', baseline, 'FILE_CHANGED: 2_b is not as baseline.sql covers it'],
  ['1_a', '', baseline, 'ADOPT_INVALID: there is no baseline.sql in sql'],
  ['1_a=x', '1_a', file('1_a'), 'row 1 gets a meaning'],
  ["1_a=a'", '1_a', file('1_a'), ''],
  [
    '1_a 2_b',
    '1_a',
    file('2_b'),
    'ADOPT_INVALID: 2_b is not applied: lockstep adopt --upto records files as applied',
  ],
  ['1_a', '1_a', file('2_b'), 'ADOPT_INVALID: there is no 2_b in sql'],
  ['1_a 2_n=x.y&', '1_a', forget('2_n'), 'forgets 2_n', '2_n=x'],
  ['1_a', '1_a', forget('2_n'), 'forgets 2_n', '2_n=x'],
  ['1_a', '1_a', forget('1_a'), 'ADOPT_INVALID: nothing of 1_a is half done'],
  [
    '1_a',
    '2_x',
    upto(1n),
    'LEDGER_OF_ANOTHER: the ledger has 1 row, none of them of a file in sql; it begins with 2_x',
  ],
  ['1_a', '1_a*', upto(1n), 'LEDGER_DAMAGED: row 1 (1_a) was begun and never finished'],
] as const satisfies [string, string, Adoptable, string, string?][]) {
  test(`to adopt ${JSON.stringify(adoptable, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))} of ${folder} on ${ledger || 'nothing'}: ${does || 'nothing'}`, () => {
    assert.equal(lineOf(folder, ledger, adoptable, steps), does)
  })
}
