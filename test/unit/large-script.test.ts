import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { noDirectives } from '../../src/files/directives.ts'
import { LargeText } from '../../src/files/large.ts'
import { readScript } from '../../src/files/script.ts'
import { without } from '../../src/files/text.ts'
import { folderOf } from '../support/folder.ts'

const file = '0001_a.sql'
const filling = `insert into a values ('é😀');\n`.repeat(50_000)

async function largeOf(text: string): Promise<{ large: LargeText } & Disposable> {
  const folder = folderOf({ [file]: text })
  const large = await LargeText.read(join(folder.path, file), file, 2 ** 30)
  assert.ok(large instanceof LargeText)
  return { large, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

// What a small file of the same text would be: one judge for both.
for (const [what, text] of [
  ['rows alone', filling],
  ['a table, too', `create table a (n text);\n${filling}`],
  ['a pair around', `-- 😀\nbegin isolation level serializable;\n${filling}commit;\n-- end`],
  ['a pair around SET TRANSACTION', `begin;set transaction deferrable;\n${filling}end`],
  ['a leading SET TRANSACTION', `set transaction deferrable;\n${filling}select 1`],
  ['a pair that is none', `begin;\n${filling}commit; begin; ${filling}commit;`],
  ['a COMMIT in the middle', `${filling}commit;\n${filling}`],
  ['a COMMIT at the end', `${filling}commit;`],
  ['a BEGIN alone', `begin;\n${filling}`],
  ['psql', `\\restrict aB1\n${filling}\\echo x\n;\n${filling}\\unrestrict aB1\n`],
  ['an open comment', `${filling}/* open ${filling}`],
  [
    'statements of all kinds',
    `vacuum;\n${filling}set client_encoding = 'LATIN1';\n${filling}rollback;`,
  ],
] as const) {
  test(`a large file has the script of a small one: ${what}`, async () => {
    const expected = readScript(text, noDirectives)
    using made = await largeOf(text)
    const { large } = made
    assert.deepEqual(large.script, expected)
    const sent = [...large.without(expected.blanked).pieces()].map((piece) => piece.text).join('')
    assert.equal(sent, without(text, expected.blanked))
  })
}

test('of very many findings the first are told', async () => {
  using made = await largeOf(`commit${' '.repeat(93)};\n`.repeat(11_000))
  assert.ok(made.large.script.findings.length <= 103)
  assert.equal(made.large.count, 11_000)
})
