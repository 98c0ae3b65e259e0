import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freshDatabase } from '../support/database.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertSucceeded } from '../support/output.ts'

const page = join(import.meta.dirname, '..', '..', 'docs', 'errors.md')
const statements = [...readFileSync(page, 'utf8').matchAll(/`([a-z][^`]+;)`/g)].map(
  ([, statement = '']) => statement,
)

test('every statement that docs/errors.md tells to type is one that PostgreSQL takes', async () => {
  await using db = await freshDatabase()
  assertSucceeded(await migrateFiles(db, { '0001_people.sql': 'create table people (id int);' }))
  assert.ok(statements.length > 20)
  for (const statement of new Set(statements)) {
    // No transaction can take it, and the page has it once.
    if (statement === 'create database crm owner crm;') continue
    await db.superuser('begin; create role crm')
    if (statement.startsWith('create schema'))
      await db.superuser('alter schema lockstep rename to other')
    try {
      await db.superuser(statement.replace('on database crm', `on database ${db.name}`))
    } catch (error) {
      assert.fail(`${statement} fails: ${String(error)}`)
    } finally {
      await db.superuser('rollback')
    }
  }
})
