import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { differencesOf, type CatalogObject } from '../../src/differences.ts'
import { objectClasses, plainPath, readCatalog } from '../../src/postgres/catalog.ts'
import { readRows, readRowTables } from '../../src/postgres/row-digests.ts'
import type { Session } from '../../src/postgres/session.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { elsewhere, planted } from '../support/planted-differences.ts'
import { openConfirmed } from '../support/session.ts'

const everyClass = readFileSync(join(import.meta.dirname, '../support/every-class.sql'), 'utf8')

async function read(session: Session): Promise<CatalogObject[]> {
  const objects = await readCatalog(session, 'lockstep')
  return [...objects, ...(await readRows(session, await readRowTables(session, 'lockstep')))]
}

describe('a planted difference is found and named', () => {
  let db: Database
  let session: Session
  let all: CatalogObject[]
  const seen = new Set<string>()

  before(async () => {
    db = await freshDatabase()
    session = await openConfirmed({ url: db.superuserUrl })
    await session.execute(everyClass)
    await session.execute(plainPath)
    all = await read(session)
  })
  after(async () => {
    await session[Symbol.asyncDispose]()
    await db[Symbol.asyncDispose]()
  })

  for (const [change, ...wanted] of planted) {
    test(change, async () => {
      try {
        await session.execute(`begin; ${change}; set constraints all immediate`)
        const differences = differencesOf(all, await read(session))
        for (const one of differences) {
          seen.add(one.class)
          if (one.attribute !== undefined) seen.add(`${one.class} ${one.attribute}`)
        }
        const found = differences.map(({ class: kind, name, attribute }) => {
          return attribute === undefined ? `${kind} ${name}` : `${kind} ${name}: ${attribute}`
        })
        assert.deepEqual(found.toSorted(), wanted.toSorted())
      } finally {
        await session.execute('rollback')
      }
    })
  }

  test('each class and each attribute has been made to differ', () => {
    const expected = Object.entries(objectClasses).flatMap(([kind, { told, texts }]) =>
      Object.keys({ ...told, ...texts }).map((attribute) => `${kind} ${attribute}`),
    )
    const left = expected.filter((name) => !seen.has(name) && elsewhere[name] === undefined)
    assert.deepEqual(left, [])
    assert.deepEqual(
      Object.keys(objectClasses).filter((kind) => !seen.has(kind)),
      [],
    )
  })

  test('nothing of a database differs from itself', async () => {
    assert.deepEqual(differencesOf(all, await read(session)), [])
  })
})
