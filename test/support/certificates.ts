// oxlint-disable-next-line no-unassigned-import -- @peculiar/x509 wants it first, for its effect
import 'reflect-metadata'
import { KeyObject, webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** What a certificate says beside its key. */
interface Content {
  /** `CN`, and the names and IP addresses that it is for. */
  readonly name: string
  readonly dns?: readonly string[] | undefined
  readonly ips?: readonly string[] | undefined
  /** Days from now on; negative for one that is over. */
  readonly days?: number
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 86_400_000

/** An authority of one test: signs certificates and withdraws them. */
export class Authority {
  readonly #keys: webcrypto.CryptoKeyPair
  readonly #certificate: x509.X509Certificate

  private constructor(keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys
    this.#certificate = certificate
  }

  static async create(name: string): Promise<Authority> {
    const keys = await newKeys()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      ...lifetime(3650),
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
      ],
    })
    return new Authority(keys, certificate)
  }

  get cert(): string {
    return this.#certificate.toString('pem')
  }

  async sign({ name, dns, ips, days = 30 }: Content): Promise<Certificate> {
    const keys = await newKeys()
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      ...lifetime(days),
      signingAlgorithm: algorithm,
      extensions: alternativeNames({ dns, ips }),
    })
    return { cert: certificate.toString('pem'), key: pemOf(keys) }
  }

  /** The list of these certificates as withdrawn. */
  async withdraw(...certificates: readonly Certificate[]): Promise<string> {
    const list = await x509.X509CrlGenerator.create({
      issuer: this.#certificate.subject,
      thisUpdate: new Date(Date.now() - dayMs),
      nextUpdate: new Date(Date.now() + dayMs),
      entries: certificates.map(({ cert }) => ({
        serialNumber: new x509.X509Certificate(cert).serialNumber,
        revocationDate: new Date(Date.now() - dayMs / 2),
      })),
      signingAlgorithm: algorithm,
      signingKey: this.#keys.privateKey,
    })
    // OpenSSL knows no other label.
    return list.toString('pem').replaceAll(' CRL-----', ' X509 CRL-----')
  }
}

/** A certificate of nobody's authority. */
export async function signedByItself({ name, dns, ips, days = 30 }: Content): Promise<Certificate> {
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    ...lifetime(days),
    signingAlgorithm: algorithm,
    extensions: alternativeNames({ dns, ips }),
  })
  return { cert: certificate.toString('pem'), key: pemOf(keys) }
}

function alternativeNames({ dns = [], ips = [] }: Partial<Content>): x509.Extension[] {
  const names: x509.JsonGeneralNames = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ]
  return names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

function pemOf({ privateKey }: webcrypto.CryptoKeyPair): string {
  return KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
}

function lifetime(days: number): { notBefore: Date; notAfter: Date } {
  const notAfter = new Date(Date.now() + days * dayMs)
  return { notBefore: new Date(Math.min(Date.now(), notAfter.getTime()) - dayMs), notAfter }
}
