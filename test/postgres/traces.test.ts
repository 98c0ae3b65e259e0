import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { meaningOf } from '../../src/files/meaning.ts'
import { freshDatabase, type Database } from '../support/database.ts'
import { migrateFiles } from '../support/migration.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import type { Ran } from '../support/program.ts'

// Sequences of images on one database, as they come in the life of a project. Each ends with the
// same image again, which finds nothing to do.

type Image = Readonly<Record<string, string>>

const create = { '0001_people.sql': 'create table people (id int, name text, mail text);' }
const index = { '0002_index.sql': 'create index people_name on people (name);' }
const drop = { '0003_drop.sql': '-- lockstep: after-rollout\nalter table people drop column mail;' }
const more = { '0004_more.sql': 'alter table people add column phone text;' }

const before = { LOCKSTEP_PHASE: 'before-rollout' }
const after = { LOCKSTEP_PHASE: 'after-rollout' }

async function again(db: Database, image: Image, env: Readonly<Record<string, string>> = {}) {
  const rows = await ledger(db)
  assertSucceeded(await migrateFiles(db, image, env), /^done +nothing to do/m)
  assert.deepEqual(await ledger(db), rows)
}

async function ledger(db: Database): Promise<string[]> {
  const rows = await db.sql<{ name: string }>('select name from lockstep.ledger order by id')
  return rows.map(({ name }) => name)
}

async function columns(db: Database): Promise<string[]> {
  const rows = await db.sql<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = 'people'::regclass and attnum > 0 and not attisdropped`,
  )
  return rows.map(({ name }) => name).toSorted()
}

async function applies(
  db: Database,
  image: Image,
  env: Readonly<Record<string, string>>,
  ...files: string[]
): Promise<Ran> {
  const rows = await ledger(db).catch(() => [])
  const ran = await migrateFiles(db, image, env)
  assertSucceeded(ran)
  assert.deepEqual((await ledger(db)).slice(rows.length), files)
  return ran
}

test('an image with an after-rollout file is rolled back before its phase, and a fix follows', async () => {
  await using db = await freshDatabase()
  const [first, second] = [create, { ...create, ...index, ...drop }]
  await applies(db, first, before, '0001_people.sql')
  const held = await applies(db, second, before, '0002_index.sql')
  assertSucceeded(held, '1 file waits for the phase after-rollout: 0003_drop.sql')
  assertSucceeded(held, 'verified   the ledger shows all 2 files, up to 0002_index.sql')
  await again(db, first, before)
  // The fix leaves out the file that was wrong.
  const fix = { ...create, ...index, ...more }
  await applies(db, fix, before, '0004_more.sql')
  await applies(db, fix, after)
  assert.deepEqual(await columns(db), ['id', 'mail', 'name', 'phone'])
  await again(db, fix, before)
  // The file comes back: it was held, so it is not late.
  const whole = { ...second, ...more }
  await again(db, whole, before)
  await applies(db, whole, after, '0003_drop.sql')
  assert.deepEqual(await columns(db), ['id', 'name', 'phone'])
  await again(db, whole, after)
  await again(db, fix, before)
})

test('a release builds on one whose after phase never came', async () => {
  await using db = await freshDatabase()
  const [first, second] = [
    { ...create, ...drop },
    { ...create, ...drop, ...more },
  ]
  await applies(db, create, before, '0001_people.sql')
  await applies(db, first, before)
  assertFailed(await migrateFiles(db, second), 64, 'PHASE_UNSET', '0003_drop.sql waits')
  assertFailed(
    await migrateFiles(db, second, before),
    1,
    'FILE_BEHIND_HELD',
    '0004_more.sql is behind 0003_drop.sql, which waits for after-rollout',
    'LOCKSTEP_OUT_OF_ORDER=allow',
    'LOCKSTEP_PHASE=all',
  )
  await applies(db, second, { ...before, LOCKSTEP_OUT_OF_ORDER: 'allow' }, '0004_more.sql')
  await again(db, second, before)
  await applies(db, second, after, '0003_drop.sql')
  await again(db, second, after)
  const phases = `select distinct phase from lockstep.run where state <> 'refused' order by 1`
  assert.deepEqual(await db.sql(phases), [{ phase: 'after-rollout' }, { phase: 'before-rollout' }])
})

test('after the rollout what can be applied is, and what waits behind a file that cannot is refused each time', async () => {
  await using db = await freshDatabase()
  await applies(db, create, before, '0001_people.sql')
  const late = {
    '0005_late.sql': '-- lockstep: after-rollout\nalter table people drop column name;',
  }
  const image = { ...create, ...drop, ...more, ...late }
  const said = '0005_late.sql waits behind 0004_more.sql, which belongs before the rollout'
  assertFailed(await migrateFiles(db, image, after), 1, 'FILE_BEFORE_ROLLOUT', said)
  assert.deepEqual(await ledger(db), ['0001_people.sql', '0003_drop.sql'])
  // So that the next run does not wait for the failure to be some time ago.
  await db.sql(`update lockstep.run set finished = finished - interval '1 minute'`)
  assertFailed(await migrateFiles(db, image, after), 1, 'FILE_BEFORE_ROLLOUT', said)
  await applies(db, image, { LOCKSTEP_PHASE: 'all' }, '0004_more.sql', '0005_late.sql')
  await again(db, image, after)
})

test('a release is skipped', async () => {
  await using db = await freshDatabase()
  await applies(db, create, {}, '0001_people.sql')
  const third = { ...create, ...index, ...more }
  await applies(db, third, {}, '0002_index.sql', '0004_more.sql')
  await again(db, third)
  await again(db, { ...create, ...index })
})

test('a first run is cut after its first file, and nothing waits until a run has succeeded', async () => {
  await using db = await freshDatabase()
  const broken = { ...create, ...drop, '0004_more.sql': 'selekt 1;' }
  assertFailed(await migrateFiles(db, broken, before), 1, 'SQL_FAILED')
  assert.deepEqual(await ledger(db), ['0001_people.sql', '0003_drop.sql'])
  await db.sql(`delete from lockstep.ledger where id = 2`)
  await db.sql('alter table people add column mail text')
  const image = { ...create, ...drop, ...more }
  await applies(db, image, before, '0003_drop.sql', '0004_more.sql')
  await again(db, image, before)
})

test('all files are applied by a run that was killed before it could say so: the next one says it', async () => {
  await using db = await freshDatabase()
  await applies(db, create, {}, '0001_people.sql')
  await db.sql(`update lockstep.run set state = 'running', exit_code = null, finished = null`)
  const image = { ...create, ...drop }
  await applies(db, create, {})
  assert.deepEqual(await db.sql(`select state from lockstep.run order by started`), [
    { state: 'running' },
    { state: 'succeeded' },
  ])
  assertFailed(await migrateFiles(db, image), 64, 'PHASE_UNSET')
  await again(db, create)
})

test('a rollback, a hotfix, and the hotfix image again', async () => {
  await using db = await freshDatabase()
  const newer = { ...create, ...index, ...more }
  await applies(db, create, {}, '0001_people.sql')
  await applies(db, newer, {}, '0002_index.sql', '0004_more.sql')
  await again(db, create)
  const hotfix = { ...create, '0002_hotfix.sql': 'create index people_mail on people (mail);' }
  await applies(db, hotfix, {}, '0002_hotfix.sql')
  await again(db, hotfix)
  await again(db, newer)
  const merged = { ...newer, '0005_hotfix.sql': hotfix['0002_hotfix.sql'] }
  assertSucceeded(
    await migrateFiles(db, merged),
    '0005_hotfix.sql is applied already, as 0002_hotfix.sql',
    /^done +nothing to do/m,
  )
  await again(db, hotfix)
})

test('a branch is merged late, and renumbered', async () => {
  await using db = await freshDatabase()
  await applies(db, { ...create, ...more }, {}, '0001_people.sql', '0004_more.sql')
  const late = { ...create, ...index, ...more }
  assertFailed(await migrateFiles(db, late), 1, 'FILE_OUT_OF_ORDER', '0002_index.sql is pending')
  // Renumbered by somebody whose editor also changes line ends.
  const text = `-- Renumbered.\r\n${index['0002_index.sql'].replace(' on', '\r\n  ON')}`
  const renumbered = { ...create, ...more, '0005_index.sql': text }
  await applies(db, renumbered, {}, '0005_index.sql')
  await again(db, renumbered)
  // Where the branch itself had run, its file is known.
  await again(db, late)
})

test('a cosmetic edit writes nothing, and neither does the rollback', async () => {
  await using db = await freshDatabase()
  const image = { ...create, ...index }
  await applies(db, image, {}, '0001_people.sql', '0002_index.sql')
  const edited = {
    ...create,
    '0002_index.sql':
      '-- Names are looked up.\r\nCREATE INDEX people_name\r\n  ON people (name);\r\n',
  }
  const [row] = await db.sql('select * from lockstep.ledger where id = 2')
  const ran = await migrateFiles(db, edited)
  assertSucceeded(ran, 'edited in comments or white space only: 0002_index.sql')
  assert.doesNotMatch(ran.output, /^lock/m)
  await again(db, edited)
  await again(db, image)
  assert.deepEqual(await db.sql('select * from lockstep.ledger where id = 2'), [row])
  // Directives of applied files are comments.
  await again(db, {
    ...create,
    '0002_index.sql': `-- lockstep: after-rollout\n${index['0002_index.sql']}`,
  })
})

test('what was edited is told by statement, and never by its text', async () => {
  await using db = await freshDatabase()
  const text = 'create table a (id int);\ninsert into a values (1);\ninsert into a values (2);\n'
  await applies(db, { '0001_a.sql': text }, {}, '0001_a.sql')
  for (const [now, said] of [
    [text.replace('(1)', '(471147114)'), 'statement 2 of 3 differs'],
    [`${text}delete from a where id = 471147114;`, '1 statement added at the end'],
    [text.replace('insert into a values (1);\n', ''), '1 statement removed behind statement 1'],
  ] as const) {
    const ran = await migrateFiles(db, { '0001_a.sql': now })
    assertFailed(ran, 1, 'FILE_CHANGED', `0001_a.sql was edited: ${said}`)
    assert.doesNotMatch(ran.output, /471147114|insert into|delete from/)
  }
  await again(db, { '0001_a.sql': text })
})

test('a squash meets a database that is older than its baseline', async () => {
  await using old = await freshDatabase()
  await using fresh = await freshDatabase()
  const meanings = { ...create, ...index }
  const lines = Object.entries(meanings).map(
    ([name, text]) => `-- lockstep: covers ${name} ${meaningOf(text).file}\n`,
  )
  const squashed = {
    'baseline.sql': `-- lockstep: baseline 0002\n${lines.join('')}${Object.values(meanings).join('\n')}`,
    ...more,
  }
  await applies(old, create, {}, '0001_people.sql')
  const said =
    '1 file that baseline.sql stands for is neither applied nor in the folder: 0002_index.sql'
  assertFailed(await migrateFiles(old, squashed), 1, 'BASELINE_GAP', said)
  await applies(old, meanings, {}, '0002_index.sql')
  await applies(old, squashed, {}, '0004_more.sql')
  await again(old, squashed)

  await applies(fresh, squashed, {}, '0001_people.sql', '0002_index.sql', '0004_more.sql')
  await again(fresh, squashed)
  // A rollback behind the squash: the files are those that the baseline has recorded.
  await again(fresh, { ...meanings, ...more })
  await again(fresh, meanings)
  assertFailed(
    await migrateFiles(fresh, { ...meanings, '0002_index.sql': 'select 1;' }),
    1,
    'FILE_CHANGED',
    '0002_index.sql was edited: its statements differ',
  )
  assert.deepEqual(await fresh.sql('select name, checksum, how from lockstep.ledger order by id'), [
    { name: '0001_people.sql', checksum: '', how: 'baseline' },
    { name: '0002_index.sql', checksum: '', how: 'baseline' },
    { name: '0004_more.sql', checksum: hash('sha256', more['0004_more.sql']), how: 'transaction' },
  ])
})

test('a file breaks older images, is found to be wrong about it, and the older image passes again', async () => {
  await using db = await freshDatabase()
  const breaking = {
    ...create,
    ...index,
    '0003_breaks.sql': '-- lockstep: breaks-before 2\nalter table people drop column mail;',
  }
  await applies(db, create, {}, '0001_people.sql')
  await applies(db, breaking, {}, '0002_index.sql', '0003_breaks.sql')
  const said = '0003_breaks.sql is applied, and breaks images without version 2'
  assertFailed(await migrateFiles(db, create), 1, 'IMAGE_TOO_OLD', said)
  await again(db, { ...create, ...index })
  const lifted = { ...breaking, '0003_breaks.sql': 'alter table people drop column mail;' }
  await applies(db, lifted, {})
  assert.deepEqual(await db.sql('select breaks_before from lockstep.ledger where id = 3'), [
    { breaks_before: null },
  ])
  await again(db, lifted)
  await again(db, create)
})

test('an image on a ledger of another application is refused, a squashed one of its own is not', async () => {
  await using db = await freshDatabase()
  await applies(db, create, {}, '0001_people.sql')
  assertFailed(await migrateFiles(db, more), 1, 'LEDGER_OF_ANOTHER')
  const meaning = meaningOf(create['0001_people.sql']).file
  const squashed = {
    'baseline.sql': `-- lockstep: baseline 1\n-- lockstep: covers 0001_people.sql ${meaning}\n`,
    ...more,
  }
  await applies(db, squashed, {}, '0004_more.sql')
  await again(db, squashed)
})

test('a half-done file is renumbered and mended, and goes on behind what is done', async () => {
  await using db = await freshDatabase()
  await applies(db, create, {}, '0001_people.sql')
  const begin = '-- lockstep: no-transaction\ncreate table once (id int);\n'
  const cut = { ...create, '0002_n.sql': `${begin}insert into twice values (1);` }
  assertFailed(await migrateFiles(db, cut), 1, 'SQL_FAILED')
  assert.deepEqual(await ledger(db), ['0001_people.sql'])
  const lacking = await migrateFiles(db, create)
  assertSucceeded(lacking, '0002_n.sql of another image is half done: 1 statement done')
  const mended = { ...create, ...more, '0003_n.sql': `${begin}insert into once values (1);` }
  const ran = await applies(db, mended, {}, '0003_n.sql', '0004_more.sql')
  assertSucceeded(ran, '0003_n.sql was begun as 0002_n.sql')
  assert.deepEqual(await db.sql('select * from once'), [{ id: 1 }])
  assert.deepEqual(await db.sql('select * from lockstep.step'), [])
  await again(db, mended)
  await again(db, create)
})
