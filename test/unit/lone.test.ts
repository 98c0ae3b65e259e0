import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { definitionOf, isSetting, loneKinds, loneOf } from '../../src/files/lone.ts'

function whole(text: string): { start: number; end: number } {
  return { start: 0, end: text.length }
}

function kindOf(text: string): string | undefined {
  return loneOf(text, whole(text))?.kind
}

test('what runs alone: what PostgreSQL refuses in a transaction, and what may commit by itself', () => {
  assert.equal(kindOf('create index concurrently i on t (a)'), 'create-index')
  assert.equal(kindOf('call p()'), 'call')
  assert.equal(kindOf('do $$ begin commit; end $$'), 'do')
  assert.equal(kindOf('create table t (a int)'), undefined)
})

test('what sets something for the statements behind it', () => {
  const settings = ['set a = 1', 'reset all', 'SET SESSION x to y', 'set role r']
  const others = [
    'set local a = 1',
    'set constraints all deferred',
    'select 1',
    'set transaction read only',
  ]
  for (const text of settings) assert.ok(isSetting(text, whole(text)), text)
  for (const text of others) assert.ok(!isSetting(text, whole(text)), text)
})

for (const [text, definition, isUnique] of [
  ['create index concurrently on t (a)', '(a)', false],
  [
    'create unique index concurrently if not exists "on (" on only "s"."using" using gin (a, (b + 1)) where a > 0',
    'using gin (a, (b + 1)) where a > 0',
    true,
  ],
] as const) {
  test(`the definition of an index: ${text}`, () => {
    assert.deepEqual(definitionOf(text), { definition, isUnique })
  })
}

test('docs/no-transaction.md has one row for each kind', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/no-transaction.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| ([A-Z ]+)[,|]/gm)]
  const found = rows.map(([, kind, label = '']) => `${kind} ${label.trim()}`)
  assert.deepEqual(
    found.toSorted(),
    Object.entries(loneKinds)
      .map(([kind, label]) => `${kind} ${label}`)
      .toSorted(),
  )
})
