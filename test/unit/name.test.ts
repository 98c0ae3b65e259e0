import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { compareNames, mendedName, parseFileName, shellWord } from '../../src/files/name.ts'

for (const [file, version] of [
  ['0001_create_users.sql', 1n],
  ['1_a.sql', 1n],
  ['0_a.sql', 0n],
  ['000_a.sql', 0n],
  ['20240101120000_add.sql', 20_240_101_120_000n],
  ['99999999999999999999_a.sql', 99_999_999_999_999_999_999n],
  ['18446744073709551616_a.sql', 2n ** 64n],
  ['0007_Add-Owner.v2.sql', 7n],
  ['1_2_a.sql', 1n],
  ['1__a.sql', 1n],
  ['1_a.sql.sql', 1n],
  ['1_a.down.sql', 1n],
] as const) {
  test(`${file} has version ${version}`, () => {
    assert.deepEqual(parseFileName(file), { file, version })
  })
}

for (const file of [
  'create_users.sql',
  '0001.sql',
  '0001_.sql',
  '_a.sql',
  '0001-a.sql',
  '0001 a.sql',
  'V1__a.sql',
  'R__views.sql',
  '-1_a.sql',
  '+1_a.sql',
  '1.5_a.sql',
  '1e3_a.sql',
  '0x1_a.sql',
  '١_a.sql', // an Arabic digit
  '0001_größe.sql',
  '0001_a b.sql',
  "0001_a'b.sql",
  '0001_a/b.sql',
  '0001_a\n.sql',
  '0001_a.sql\n',
  '\n0001_a.sql',
  '0001_a.SQL',
  '0001_a.sqlx',
  '0001_a_sql',
  'baseline.sql',
  '',
] as const) {
  test(`${JSON.stringify(file)} is no name of a file`, () => {
    assert.equal(parseFileName(file), undefined)
  })
}

test('files are in the order of their versions as numbers, then of their names by code unit', () => {
  const inOrder = [
    '0_z.sql',
    '007_a.sql',
    '7_a.sql',
    '9_a.sql',
    '10_B.sql', // a locale would put it behind the a
    '10_a.sql',
    '10_a1.sql',
    '10_a_.sql',
    '9007199254740992_a.sql', // 2^53, where doubles begin to be equal
    '9007199254740993_a.sql',
    '09999999999999999999_a.sql',
    '10000000000000000000_a.sql',
  ]
  const names = inOrder.map((file) => parseFileName(file) ?? { file, version: -1n })
  assert.deepEqual(names.toReversed().toSorted(compareNames), names)
  for (const [index, name] of names.entries()) {
    assert.equal(compareNames(name, { ...name }), 0)
    const next = names[index + 1]
    if (next) assert.deepEqual([compareNames(name, next), compareNames(next, name)], [-1, 1])
  }
})

for (const [file, mended] of [
  ['V1__a.sql', '0001_a.sql'],
  ['v2__Add_owner.sql', '0002_Add_owner.sql'],
  ['V1_a.sql', '0001_a.sql'],
  ['1-a.sql', '0001_a.sql'],
  ['1.a.sql', '0001_a.sql'],
  ['1 - a.sql', '0001_a.sql'],
  ['20240101120000-add.sql', '20240101120000_add.sql'],
  ['0001_a.SQL', '0001_a.sql'],
  ['0001_a b.sql', '0001_a_b.sql'],
  ['0001_größe.sql', '0001_gr_e.sql'],
  ['12-add-owner.up.sql', '0012_add-owner.up.sql'],
  ['V1.2__a.sql', undefined],
  ['V1_2__a.sql', undefined],
  ['1.2.3_a.sql', undefined],
  ['R__views.sql', undefined],
  ['U1__a.sql', undefined], // an undo: run forwards it would undo
  ['create_users.sql', undefined],
  ['0001.sql', undefined],
  ['1_.sql', undefined],
  ['1_größe.sql', '0001_gr_e.sql'],
  ['1_ä.sql', undefined],
  ['B1__baseline.sql', undefined],
] as const) {
  test(`${file} is mended as ${mended ?? 'nothing, since guessing would be wrong'}`, () => {
    assert.equal(mendedName(file, 4), mended)
    if (mended !== undefined) assert.notEqual(parseFileName(mended), undefined)
  })
}

test('a mended version is as wide as the widest of the folder', () => {
  assert.equal(mendedName('Baseline.SQL', 4), 'baseline.sql')
  assert.equal(mendedName('V1__a.sql', 14), '00000000000001_a.sql')
  assert.equal(mendedName('V123__a.sql', 2), '123_a.sql')
})

for (const [name, word] of [
  ['V1__a-b.sql', 'V1__a-b.sql'],
  ['a b', "'a b'"],
  ['$(rm)', "'$(rm)'"],
  ["it's", String.raw`'it'\''s'`],
  ['ä', "'ä'"],
  ['', "''"],
] as const) {
  test(`a shell reads ${word} as ${JSON.stringify(name)}`, () => {
    assert.equal(shellWord(name), word)
    const { stdout } = spawnSync('sh', ['-c', `printf %s ${word}`], { encoding: 'utf8' })
    assert.equal(stdout, name)
  })
}
