import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import { isTlsError } from '../../src/postgres/tls-errors.ts'

// A case: the code of an error, and whether it is one of TLS.
for (const [code, isOfTls] of [
  ['CERT_HAS_EXPIRED', true],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', true],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', true],
  ['ERR_SSL_WRONG_VERSION_NUMBER', true],
  ['ERR_TLS_CERT_ALTNAME_INVALID', true],
  ['ERR_OSSL_EVP_UNSUPPORTED', true],
  ['ECONNRESET', false],
  ['ETIMEDOUT', false],
  ['EAI_AGAIN', false],
  ['ERR_STREAM_DESTROYED', false],
  ['ERR_SOCKET_CLOSED', false],
] as const) {
  test(`${code} is ${isOfTls ? 'an' : 'no'} error of TLS`, () => {
    assert.equal(isTlsError(Object.assign(new Error('x'), { code })), isOfTls)
  })
}

test('what has been judged already is no error of TLS, nor is a time-out or an abort', () => {
  assert.equal(isTlsError(new Failure('TLS_FAILED', 'x')), false)
  assert.equal(isTlsError(new Failure('INTERRUPTED', 'x')), false)
  assert.equal(isTlsError(AbortSignal.abort().reason), false)
  assert.equal(isTlsError(undefined), false)
})
