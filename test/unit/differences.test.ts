import assert from 'node:assert/strict'
import { test } from 'node:test'
import { differencesOf, differenceText, type CatalogObject } from '../../src/differences.ts'

const object = (
  kind: string,
  name: string,
  told: CatalogObject['told'] = {},
  texts: CatalogObject['texts'] = {},
  of: string | null = null,
): CatalogObject => ({ class: kind, name, of, told, texts })

const table = (order: string): CatalogObject =>
  object('table', 's.t', { 'order of columns': order })

function lines(baseline: readonly CatalogObject[], files: readonly CatalogObject[]): string[] {
  return differencesOf(baseline, files).map(differenceText)
}

test('an object in one of the two is told, and not what belongs to it', () => {
  const whole = object('table', 's.t')
  const column = object('column', 's.t.a', {}, {}, 's.t')
  const rows = object('rows', 's.t', {}, {}, 's.t')
  assert.deepEqual(lines([whole, column, rows], []), ['table s.t is built by baseline.sql only'])
  assert.deepEqual(lines([], [whole, column, rows]), ['table s.t is not built by baseline.sql'])
  assert.deepEqual(lines([whole], [whole, column]), ['column s.t.a is not built by baseline.sql'])
})

test('values are told of names, types and flags, but not of what somebody wrote', () => {
  const one = object('column', 's.t.a', { type: 'text', identity: null }, { default: `'secret'` })
  const other = object('column', 's.t.a', { type: 'int', identity: 'always' }, { default: null })
  assert.deepEqual(lines([one], [other]), [
    'column s.t.a: type is text by baseline.sql, int by the files',
    'column s.t.a: identity is none by baseline.sql, always by the files',
    'column s.t.a: default differs',
  ])
  assert.deepEqual(lines([one], [one]), [])
})

test('an order is that of what both have', () => {
  assert.deepEqual(lines([table('a, b, c')], [table('a, x, c')]), [])
  assert.deepEqual(lines([table('a, b, c')], [table('c, a')]), [
    'table s.t: order of columns is a, b, c by baseline.sql, c, a by the files',
  ])
})

test('classes in their order, and in a class names in theirs, wherever they are', () => {
  const [a, b, c] = [object('table', 'a'), object('table', 'b'), object('rows', 'a')]
  assert.deepEqual(
    differencesOf([b, c], [a]).map(({ class: kind, name }) => `${kind} ${name}`),
    ['table a', 'table b', 'rows a'],
  )
})
