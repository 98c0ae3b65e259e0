import { readFileSync, statSync } from 'node:fs'
import { isIP, type Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { Failure } from '../failure.ts'
import type { Address } from './address.ts'
import { fileErrors } from './parameters.ts'
import type { TlsTerms } from './tls-terms.ts'

/** `node:tls`, which the caller loads: it is the largest of Node's modules that a run may need. */
type NodeTls = typeof import('node:tls')

/**
 * Begins TLS on an open connection; the caller waits for `secureConnect`. As in libpq a certificate
 * is checked wherever there are authorities to check it with, and its name under verify-full alone
 * (PostgreSQL manual, 34.19.1).
 *
 * @throws {Failure} TLS_FAILED, if a certificate or key of our own side cannot be used
 */
export function beginTls(node: NodeTls, socket: Socket, { host, tls }: Address): TLSSocket {
  return node.connect({
    socket,
    secureContext: contextOf(node, tls),
    rejectUnauthorized: isChecked(tls),
    // Node's own check takes an IP address for the name `localhost`.
    checkServerIdentity: (_, certificate) =>
      tls.mode === 'verify-full' ? node.checkServerIdentity(host, certificate) : undefined,
    ...(tls.sni && isIP(host) === 0 ? { servername: host } : {}),
    ...(tls.direct ? { ALPNProtocols: ['postgresql'] } : {}),
  })
}

/** What the encryption of a connection is worth, for people. */
export function describeTls(tls: TlsTerms): string {
  if (tls.mode === 'verify-full') return 'TLS verify-full'
  return isChecked(tls) ? 'TLS verify-ca' : `TLS ${tls.mode}, certificate not checked`
}

function isChecked({ mode, rootCert }: TlsTerms): boolean {
  return mode === 'verify-full' || rootCert !== undefined
}

function contextOf(node: NodeTls, tls: TlsTerms): SecureContext {
  const { minVersion, maxVersion, keyPassword } = tls
  const options = {
    minVersion,
    maxVersion,
    ...(tls.rootCert === undefined ? {} : { ca: authorities(node, tls.rootCert) }),
    ...(tls.crl === undefined ? {} : { crl: read('sslcrl', tls.crl) }),
    ...clientCertificate(tls),
    ...(keyPassword === undefined ? {} : { passphrase: keyPassword }),
  }
  try {
    return node.createSecureContext(options)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    // With a wrong password OpenSSL also finds a key of a kind that does not exist.
    const isLocked = options.key?.includes('ENCRYPTED') === true
    const why = unusable[code] ?? (isLocked ? lockedKey : `cannot be used (${code})`)
    throw new Failure('TLS_FAILED', `what sslcert, sslkey and sslcrl name: ${why}`)
  }
}

const lockedKey = 'the key is encrypted, and sslpassword does not open it'
const unusable: Readonly<Record<string, string>> = {
  ERR_OSSL_BAD_DECRYPT: lockedKey,
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key is not that of the certificate',
  ERR_OSSL_PEM_NO_START_LINE: 'the file of the certificate holds none',
  ERR_CRYPTO_OPERATION_FAILED: 'the file of sslcrl holds no list of certificates',
}

function authorities(node: NodeTls, rootCert: string): string | string[] {
  if (rootCert === 'system') {
    const found = node.getCACertificates('system')
    if (found.length > 0) return found
    throw new Failure(
      'TLS_FAILED',
      'sslrootcert is system, and this system has no certificates of authorities',
      [
        'install ca-certificates, or leave sslrootcert out to trust the authorities that Node knows',
      ],
    )
  }
  const text = read('sslrootcert', rootCert)
  if (/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(text)) return text
  throw new Failure('TLS_FAILED', 'the file that sslrootcert names holds no certificate')
}

function clientCertificate({ cert, key }: TlsTerms): { cert?: string; key?: string } {
  if (cert === undefined) return {}
  if (key === undefined) throw new Failure('TLS_FAILED', 'sslcert has a certificate, sslkey no key')
  const text = { cert: read('sslcert', cert), key: read('sslkey', key) }
  // As libpq has it (PostgreSQL manual, 34.19.2); a Secret's files belong to root.
  const { mode, uid } = statSync(key)
  if ((mode & (uid === 0 ? 0o037 : 0o077)) === 0) return text
  throw new Failure('TLS_FAILED', 'the key that sslkey names has group or world access', [
    'its mode should be 0600 or less, or 0640 if root owns it; in Kubernetes: defaultMode: 0440',
  ])
}

function read(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw new Failure(
      'TLS_FAILED',
      `the file that ${parameter} names cannot be read: ${fileErrors[code] ?? code}`,
    )
  }
}
