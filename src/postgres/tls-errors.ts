import { Failure } from '../failure.ts'
import { describeAddress, type Address } from './address.ts'

/** The handshake failed, which under `sslmode=prefer` is a reason to go on without TLS. */
export class HandshakeFailure extends Failure {
  constructor(error: Error, address: Address) {
    const reason = reasonOf(error)
    const { mode } = address.tls
    super('TLS_FAILED', `${describeAddress(address)} fails sslmode ${mode}: ${reason}`)
  }
}

/** Whether an error of a socket is one of TLS, and not of the network below. */
export function isTlsError(error: unknown): error is Error {
  // OpenSSL's own, Node's, and those of a certificate: CERT_HAS_EXPIRED.
  const codes = /^(?:ERR_O?SSL_|ERR_TLS_|(?!ERR_|EAI_)[A-Z]+_)/
  return !(error instanceof Failure) && codes.test(codeOf(error) ?? '')
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** What OpenSSL and Node say, in plain words; what is not here is told by its code. */
function reasonOf(error: Error): string {
  const code = codeOf(error) ?? ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(error)
  return reasons[code] ?? `the handshake failed (${code})`
}

const unknownCa =
  'the server’s certificate is not signed by a trusted authority; sslrootcert names the file of those'
const ownCertificate = 'the server does not accept the client certificate that sslcert names'
const version = 'client and server have no version of TLS in common'
const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the server’s certificate has expired',
  CERT_NOT_YET_VALID: 'the server’s certificate is not valid yet, or the clock is wrong',
  CERT_REVOKED: 'the server’s certificate was revoked',
  CRL_HAS_EXPIRED: 'the list of revoked certificates has expired',
  UNABLE_TO_GET_CRL: 'sslcrl has no list of the authority that signed the server’s certificate',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'the server’s certificate is signed by itself, and is not the one that sslrootcert names',
  SELF_SIGNED_CERT_IN_CHAIN: unknownCa,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownCa,
  UNABLE_TO_GET_ISSUER_CERT: unknownCa,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownCa,
  CERT_SIGNATURE_FAILURE: unknownCa,
  INVALID_PURPOSE: 'the server’s certificate is not one for servers',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the server wants a client certificate: sslcert, sslkey',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: ownCertificate,
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: ownCertificate,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: ownCertificate,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: ownCertificate,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: version,
  ERR_SSL_UNSUPPORTED_PROTOCOL: version,
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: version,
  ERR_SSL_WRONG_VERSION_NUMBER: 'what answers does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what answers does not speak TLS',
}

/** Names are those of the certificate, which the server shows to anybody. */
function wrongName(error: Error): string {
  const cert = 'cert' in error && error.cert
  const names: unknown =
    cert && typeof cert === 'object' && 'subjectaltname' in cert ? cert.subjectaltname : undefined
  return typeof names === 'string'
    ? `the server’s certificate is for another name: ${names.slice(0, 300)}`
    : 'the server’s certificate names no host'
}
