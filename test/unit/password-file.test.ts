import assert from 'node:assert/strict'
import { test } from 'node:test'
import { passwordIn } from '../../src/postgres/password-file.ts'

// A case: the text of the file, and the password for user@host:5432/db.
for (const [text, password] of [
  ['host:5432:db:user:s3cret', 's3cret'],
  ['host:5432:db:user:s3cret\r\n', 's3cret'],
  ['*:*:*:*:s3cret\n', 's3cret'],
  ['other:5432:db:user:a\nhost:5432:db:user:b\n*:*:*:*:c', 'b'], // the first that fits
  ['*:*:*:*:c\nhost:5432:db:user:b', 'c'],
  ['*:*:*:*:\nhost:5432:db:user:b', ''], // it fits, and has none
  ['# host:5432:db:user:a\n\nhost:5432:db:user:b', 'b'],
  ['#*:*:*:*:a', undefined],
  ['host:5433:db:user:a', undefined],
  ['host:5432:other:user:a', undefined],
  ['host:5432:db:other:a', undefined],
  ['HOST:5432:db:user:a', undefined],
  ['hos:5432:db:user:a', undefined],
  ['host*:5432:db:user:a', undefined], // a star is all or nothing
  ['\\*:5432:db:user:a', undefined], // a star that is meant
  ['host:5432:db', undefined],
  ['', undefined],
  ['host:5432:db:user', ''],
  ['h\\ost:5432:db:user:a', 'a'],
  ['*:*:*:*:a\\:b\\\\c', 'a:b\\c'],
  ['*:*:*:*:a:b', 'a'], // a raw colon ends it
  ['*:*:*:*:a\\', 'a\\'],
  ['*:*:*:*: a#b ', ' a#b '],
] as const) {
  test(`the password file ${JSON.stringify(text)} has ${JSON.stringify(password)}`, () => {
    assert.equal(passwordIn(text, ['host', '5432', 'db', 'user']), password)
  })
}

test('colons and backslashes in names are escaped, and an IPv6 address has colons', () => {
  const text = '\\:\\:1:5432:a\\\\b:c\\:d:s3cret'
  assert.equal(passwordIn(text, ['::1', '5432', 'a\\b', 'c:d']), 's3cret')
})

const login = (host: string) => [host, '5432', 'db', 'user'] as const

test('the default socket is localhost, any other its folder', () => {
  assert.equal(passwordIn('localhost:*:*:*:a', login('/var/run/postgresql')), 'a')
  assert.equal(passwordIn('localhost:*:*:*:a', login('/tmp')), 'a')
  assert.equal(passwordIn('localhost:*:*:*:a', login('/run/pg')), undefined)
  assert.equal(passwordIn('/run/pg:*:*:*:a', login('/run/pg')), 'a')
})
