import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBack } from '../../src/postgres/borrowed.ts'
import { judgePoolerError } from '../../src/postgres/pooler.ts'
import { failureOf, told } from '../support/failure.ts'

// As PgBouncer 1.18 says it, with 08P01 each.
for (const [said, waitingHelps] of [
  ['server login has been failing, try again later (server_login_retry)', true],
  ['no more connections allowed (max_client_conn)', true],
  ['query_wait_timeout', true],
  ['SASL authentication failed', false],
  ['database "nonesuch" does not exist', false],
] as const) {
  test(`a pooler that says “${said}” is ${waitingHelps ? '' : 'not '}waited for`, () => {
    assert.equal(judgePoolerError(`${said} (08P01)`, 'db:6432/crm'), waitingHelps)
  })
}

test('a pooler that takes no options says so with what to do', () => {
  const said = 'unsupported startup parameter: options (08P01)'
  const failure = failureOf('POOLER_BETWEEN', () => judgePoolerError(said, 'db:6432/crm'))
  assert.match(told(failure), /^db:6432\/crm .* options[\s\S]*alter role ROLE set/)
})

test('a session is given back with the role last, and our own COMMIT stays durable', () => {
  assert.equal(
    giveBack({ role: 'none', settings: { search_path: '"$user", public' } }),
    'RESET ALL;SELECT pg_catalog.set_config($lockstep$search_path$lockstep$,$lockstep$"$user", public$lockstep$,false),' +
      'pg_catalog.set_config($lockstep$role$lockstep$,$lockstep$none$lockstep$,false);',
  )
  const given = giveBack({ role: 'none', settings: { synchronous_commit: 'off' } })
  assert.ok(given.endsWith(';SET LOCAL synchronous_commit TO DEFAULT;'))
})
