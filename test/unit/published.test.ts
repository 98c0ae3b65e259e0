import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Folder } from '../../src/files/folder.ts'
import { needOf } from '../../src/needs.ts'
import {
  fieldShapes,
  publishedOf,
  readPublished,
  rowsOf,
  saysTheSame,
  textOf,
  type Published,
} from '../../src/published.ts'
import { fileOf, folderOf, rowOf } from '../support/decision.ts'

const facts = {
  state: 'succeeded',
  database: '0123456789abcdef',
  run: '7f9b0173',
  set: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  phase: 'before-rollout',
  program: '1.2.3',
  started: '2026-11-23T02:14:07.412Z',
  finished: '2026-11-23T02:14:09.001Z',
} as const

const rows = [
  rowOf(1, '0001_a.sql', 'a'),
  rowOf(2, '0010_c.sql', 'c', { breaksBefore: '9' }),
  rowOf(3, '0009_b.sql', 'b', { meanings: ['1'.repeat(64), '2'.repeat(64)] }),
]

// Other releases read what this one writes, and the other way round: a change here is a new format.
test('golden: the document of a success', () => {
  assert.equal(
    textOf(publishedOf(facts, rows)),
    `{
  "format": "1.0",
  "state": "succeeded",
  "version": "0010",
  "database": "0123456789abcdef",
  "run": "7f9b0173",
  "set": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "phase": "before-rollout",
  "program": "1.2.3",
  "started": "2026-11-23T02:14:07.412Z",
  "finished": "2026-11-23T02:14:09.001Z",
  "applied": {
    "0001_a.sql": "34252b6345db4445",
    "0010_c.sql": "da8c49c5c8f0464c",
    "0009_b.sql": "1111111111111111 2222222222222222"
  },
  "checksums": {
    "0001_a.sql": "ca978112ca1bbdca",
    "0010_c.sql": "2e7d2c03a9507ae2",
    "0009_b.sql": "3e23e8160039594a"
  },
  "breaksBefore": {
    "0010_c.sql": "9"
  }
}
`,
  )
})

test('golden: the document of a failure', () => {
  const failure = {
    ...facts,
    phase: undefined,
    state: 'failed',
    error: 'SQL_FAILED',
    exit: 1,
    reason: '0001_a.sql:1:1 no such table (42P01)',
  } as const
  assert.equal(
    textOf(publishedOf(failure, [])),
    `{
  "format": "1.0",
  "state": "failed",
  "version": "",
  "database": "0123456789abcdef",
  "run": "7f9b0173",
  "set": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "program": "1.2.3",
  "started": "2026-11-23T02:14:07.412Z",
  "finished": "2026-11-23T02:14:09.001Z",
  "error": "SQL_FAILED",
  "exit": 1,
  "reason": "0001_a.sql:1:1 no such table (42P01)",
  "applied": {},
  "checksums": {},
  "breaksBefore": {}
}
`,
  )
})

function readBack(published: Published): Published {
  const read = readPublished(textOf(published))
  if (typeof read === 'string') throw new Error(read)
  return read
}

test('what is written is read again, with fields that a newer minor format has', () => {
  const published = publishedOf(facts, rows)
  assert.ok(saysTheSame(readBack(published), published))
  const newer = { ...published, format: '1.7', more: { x: 1 } }
  assert.ok(saysTheSame(readBack(newer), published))
})

// A case: what was changed, and what is said of it.
for (const [what, edit, says] of [
  ['nothing but blanks', () => '   ', 'there is no status in it'],
  ['cut off', (text: string) => text.slice(0, -9), 'it is not JSON'],
  ['a list', () => '[]', 'it is not a JSON object'],
  ['without a format', (text: string) => text.replace('"format"', '"form"'), /its format/],
  ['of a newer format', (text: string) => text.replace('"1.0"', '"2.0"'), /has format 2\.0.*1\.x/],
  ['in another state', (text: string) => text.replace('"succeeded"', '"fine"'), /field state/],
  ['of no database', (text: string) => text.replace('0123456789abcdef', ''), /field database/],
  ['with a name of no file', (text: string) => text.replace('0001_a.sql', 'a.sql'), /applied/],
  ['with a wrong meaning', (text: string) => text.replace('34252b63', 'latest'), /field applied/],
  ['with a wrong version', (text: string) => text.replace(': "9"', ': "nine"'), /breaksBefore/],
  ['with a wrong time', (text: string) => text.replace('2026-11-23T', ''), /field started/],
  [
    'with a wrong checksum',
    (text: string) => text.replace('ca978112', 'latest'),
    /field checksums/,
  ],
  ['without applied files', (text: string) => text.replace('"applied"', '"x"'), /field applied/],
] as const) {
  test(`a document ${what} is not believed`, () => {
    const read = readPublished(edit(textOf(publishedOf(facts, rows))))
    assert.ok(typeof read === 'string')
    if (typeof says === 'string') assert.equal(read, says)
    else assert.match(read, says)
  })
}

// For each field what no release of this format writes.
const wrong: Readonly<Record<keyof typeof fieldShapes, readonly unknown[]>> = {
  state: ['fine', 1],
  version: ['v1', 1],
  database: ['', '0123456789ABCDEF', '0123456789abcdef0'],
  run: ['', 'cafe012', 'cafe0123 '],
  set: ['', '0'.repeat(63)],
  phase: ['', 'Before', 1],
  program: ['', '1.2 3'],
  started: ['', '2026-11-23', '2026-11-23T02:14:07.412'],
  finished: ['', '2026-11-23'],
  error: ['', 'sql failed', 1],
  exit: ['1'],
  reason: ['two\nlines', 1],
  applied: [[], { 'a.sql': '0123456789abcdef' }, { '1_a.sql': '' }, { '1_a.sql': '0123' }],
  checksums: [null, { '1_a.sql': '0123456789abcdef 0123456789abcdef' }],
  folded: [[], { files: '1', digest: '' }, { files: 1 }],
  breaksBefore: [[], { '1_a.sql': 'one' }, { '1_a.sql': 1 }],
}

for (const [field, values] of Object.entries(wrong)) {
  test(`a document with a wrong ${field} is not believed`, () => {
    for (const value of values) {
      const text = JSON.stringify({ ...publishedOf(facts, rows), [field]: value })
      assert.equal(readPublished(text), `its field ${field} is not as Lockstep writes it`, text)
    }
  })
}

test('of a file whose bytes nobody knew there is no checksum', () => {
  const adopted = rowOf(1, '0001_a.sql', 'a', { checksum: '' })
  assert.deepEqual(readBack(publishedOf(facts, [adopted])).checksums, {})
})

test('another state, database, file, meaning or breaks-before is not the same; other facts are', () => {
  const published = publishedOf(facts, rows)
  const [first, second, third] = rows
  assert.ok(first && second && third)
  const others = [
    publishedOf({ ...facts, state: 'running' }, rows),
    publishedOf({ ...facts, database: 'fedcba9876543210' }, rows),
    publishedOf(facts, [first, second]),
    publishedOf(facts, [{ ...first, meanings: ['3'.repeat(64)] }, second, third]),
    publishedOf(facts, [{ ...first, breaksBefore: '1' }, second, third]),
    { ...published, folded: { files: 1, digest: '0' } },
  ]
  for (const other of others) assert.ok(!saysTheSame(published, other))
  const later = { ...facts, run: '00000000', set: '0'.repeat(64), finished: facts.started }
  assert.ok(saysTheSame(published, publishedOf(later, rows.toReversed())))
})

function named(name: string): string {
  return `${name}.sql`
}

// A case: an image, the rows of a ledger, and what the image lacks as the document tells it.
for (const [image, ledger, lacking] of [
  ['1_a 2_b', [rowOf(1, '1_a', 'a'), rowOf(2, '2_b', 'b')], []],
  ['1_a 2_b', [rowOf(1, '1_a', 'a')], ['2_b']],
  ['1_a 3_b', [rowOf(1, '1_a', 'a'), rowOf(2, '2_b', 'b')], []],
  ['1_a', [rowOf(1, '1_a', 'a'), rowOf(2, '2_b', 'b')], []],
  ['1_a= 2_b=', [rowOf(1, '3_a', '')], ['1_a', '2_b']],
  ['1_a 2_b!', [rowOf(1, '1_a', 'a')], []],
  ['3_c baseline:2:1_a,2_b', [rowOf(1, '1_a', 'a'), rowOf(2, '3_c', 'c')], ['2_b']],
] as const) {
  test(`an image of ${image} lacks ${lacking.join(', ') || 'nothing'} where a document has ${ledger.map(({ name }) => name).join(', ')}`, () => {
    const folder = folderOf(image)
    const withNames = {
      ...folder,
      files: folder.files.map((file) => ({ ...file, file: named(file.file) })),
      baseline: folder.baseline && {
        ...folder.baseline,
        covers: folder.baseline.covers?.map((entry) => ({ ...entry, file: named(entry.file) })),
      },
    }
    const inLedger = ledger.map((row) => ({ ...row, name: named(row.name) }))
    const document = readBack(publishedOf(facts, inLedger))
    const need = needOf(withNames, rowsOf(document, withNames))
    assert.deepEqual(
      need.lacking.map(({ file }) => file),
      lacking.map(named),
    )
    assert.equal(need.refusal, undefined)
  })
}

test('an edited file and a broken image are refused as the ledger itself refuses them', () => {
  const edited = folderOf('1_a=x')
  const document = readBack(publishedOf(facts, [rowOf(1, '0001_a.sql', 'a')]))
  const own = { ...edited, files: edited.files.map((file) => ({ ...file, file: '0001_a.sql' })) }
  assert.equal(needOf(own, rowsOf(document, own)).refusal?.failure.code, 'FILE_CHANGED')

  const old = folderOf('1_a')
  const breaking = readBack(publishedOf(facts, rows))
  assert.equal(needOf(old, rowsOf(breaking, old)).refusal?.failure.code, 'IMAGE_TOO_OLD')
})

test('where there is no room for all names, covered files are folded, and are there for who has exactly these', () => {
  const many = Array.from(
    { length: 20_000 },
    (_, index) => `${index + 1}_covered_file_of_old_times`,
  )
  const inLedger = [
    ...many.map((name, index) => rowOf(index + 1, `${name}.sql`, name, { how: 'baseline' })),
    rowOf(20_001, '20001_x.sql', 'x'),
  ]
  const document = publishedOf(facts, inLedger)
  assert.ok(Buffer.byteLength(textOf(document)) < 900_000)
  assert.equal(document.folded?.files, 20_000)
  assert.deepEqual(Object.keys(document.applied), ['20001_x.sql'])
  assert.equal(document.version, '20001')

  const image = folderOf([...many, '20001_x'].join(' '))
  const files = image.files.map((file) => ({ ...file, file: `${file.file}.sql` }))
  const contents: Folder = {
    ...image,
    files: files.map((file, index) => ({
      ...file,
      meaning: { file: inLedger[index]?.meanings[0] ?? '', statements: [] },
    })),
  }
  assert.deepEqual(needOf(contents, rowsOf(readBack(document), contents)).lacking, [])
  // Adopted in another order, they are the same.
  assert.deepEqual(publishedOf(facts, inLedger.toReversed()).folded, document.folded)
  // A comment in a file that is there by its name hides none of the others.
  const commented = {
    ...contents,
    files: contents.files.with(20_000, fileOf('20001_x.sql', "x''")),
  }
  assert.deepEqual(needOf(commented, rowsOf(readBack(document), commented)).lacking, [])
  const edited = contents.files.with(7, fileOf('8_covered_file_of_old_times.sql', 'other'))
  const other = { ...contents, files: edited }
  assert.equal(needOf(other, rowsOf(readBack(document), other)).lacking.length, 20_000)
  const fewer = { ...contents, files: contents.files.slice(1) }
  assert.equal(needOf(fewer, rowsOf(readBack(document), fewer)).lacking.length, 19_999)
})
