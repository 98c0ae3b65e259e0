import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAllowance } from '../../src/files/allowance.ts'
import { readTablePattern, splitList, sqlName } from '../../src/files/table-name.ts'

const leads = { schema: undefined, name: 'leads' }

for (const [rest, words, atMost, table] of [
  ['delete on leads', ['delete'], undefined, leads],
  ['delete, truncate on leads', ['delete', 'truncate'], undefined, leads],
  ['delete <= 40 on crm.leads', ['delete'], 40, { schema: 'crm', name: 'leads' }],
  ['DELETE,truncate<=0 ON Leads  ', ['delete', 'truncate'], 0, leads],
  [
    'truncate, drop-column, delete on "Leads"',
    ['delete', 'truncate', 'drop-column'],
    undefined,
    { schema: undefined, name: 'Leads' },
  ],
  [
    'retype, rename, detach, unlogged, drop on " on leads"',
    ['drop', 'retype', 'rename', 'detach', 'unlogged'],
    undefined,
    { schema: undefined, name: ' on leads' },
  ],
] as const) {
  test(`allow ${rest}`, () => {
    assert.deepEqual(readAllowance(rest, 7), { words, atMost, table, line: 7 })
  })
}

for (const [rest, problem] of [
  ['', /^allow is written as/],
  ['delete', /^allow is written as/],
  ['delete leads', /^allow is written as/],
  ['delete on', /^allow is written as/],
  ['on leads', /^allow is written as/],
  ['update on leads', /^allow knows the words delete, truncate, drop,/],
  ['delete, on leads', /^allow knows the words/],
  ['delete truncate on leads', /^allow knows the words/],
  ['delete on leads, faqs', /^allow names one table/],
  ['delete on crm.*', /^allow names one table/],
  ['delete on a.b.c', /^allow names one table/],
  ['delete <= many on leads', /^the bound of allow is a number/],
  ['delete <= -1 on leads', /^the bound of allow is a number/],
  ['delete <= 9999999999999999 on leads', /^the bound of allow is a number/],
  ['drop <= 4 on leads', /^a bound of rows belongs to delete and truncate/],
] as const) {
  test(`“allow ${rest}” is refused with what is wrong`, () => {
    const read = readAllowance(rest, 1)
    assert.ok(typeof read === 'string', JSON.stringify(read))
    assert.match(read, problem)
  })
}

for (const [text, sql, isAll] of [
  ['leads', '"leads"', false],
  ['Leads', '"leads"', false],
  ['"Leads"', '"Leads"', false],
  ['crm . leads', '"crm"."leads"', false],
  ['"a.b"."c""d"', '"a.b"."c""d"', false],
  ['größe$1', '"größe$1"', false],
  ['crm.*', '"crm"."*"', true],
  ['*', '"*"', true],
  ['"*"', '"*"', false],
] as const) {
  test(`the table ${text} is ${sql} in SQL`, () => {
    const read = readTablePattern(text)
    assert.ok(read)
    assert.equal(sqlName(read), sql)
    assert.equal(read.isAll, isAll)
  })
}

test('what is no table is told apart', () => {
  for (const text of [
    '',
    '1st',
    'a b',
    'a.',
    '.a',
    'a.b.c',
    '""',
    '"a',
    'a-b',
    'x'.repeat(64),
    `${'x'.repeat(64)}.a`,
  ]) {
    assert.equal(readTablePattern(text), undefined, text)
  }
})

test('a list is cut at the commas outside of quotes', () => {
  assert.deepEqual(splitList('a, "b,c" ,d.*'), ['a', '"b,c"', 'd.*'])
  assert.deepEqual(splitList(''), [])
})
