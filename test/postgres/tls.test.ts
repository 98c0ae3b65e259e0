import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { after, test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import { readAddress } from '../../src/postgres/address.ts'
import { Connecting } from '../../src/postgres/connect.ts'
import { Authority, signedByItself, type Certificate } from '../support/certificates.ts'
import { told } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'
import { listen } from '../support/network.ts'
import { assertFailed, assertSucceeded } from '../support/output.ts'
import { runProgram, type Ran } from '../support/program.ts'
import { superuserPassword } from '../support/secrets.ts'
import { startServer } from '../support/server.ts'

const major = Number(process.env['TEST_POSTGRES_MAJOR'] ?? 18)
const server = await startServer(major, ['fsync=off', "ssl_ca_file='ca.crt'"])
const ours = await Authority.create('ours')
const theirs = await Authority.create('theirs')
const names = { name: 'db', dns: ['localhost'], ips: ['127.0.0.1'] }
const good = await ours.sign(names)
const client = await ours.sign({ name: 'postgres' })
const stranger = await theirs.sign({ name: 'postgres' })
const lockedKey = createPrivateKey(client.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'canary-of-the-key' })
  .toString()
const folder = folderOf({
  'ca.crt': ours.cert,
  'theirs.crt': theirs.cert,
  'good.crl': await ours.withdraw(),
  'bad.crl': await ours.withdraw(good),
  'client.crt': client.cert,
  'client.key': client.key,
  'locked.key': lockedKey,
  'stranger.crt': stranger.cert,
  'stranger.key': stranger.key,
  'empty.crt': 'no certificate\n',
})
for (const name of ['client.key', 'locked.key', 'stranger.key']) chmodSync(at(name), 0o600)
after(async () => {
  await server[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

function at(name: string): string {
  return `${folder.path}/${name}`
}

interface SetUp {
  readonly ssl?: 'on' | 'off'
  readonly certificate?: Certificate
  /** Which connections are let in, as the first word of a line of `pg_hba.conf`. */
  readonly lets?: 'host' | 'hostssl' | 'hostnossl'
  readonly clientCertificate?: boolean
  readonly conf?: string
}

async function setUp({
  ssl = 'on',
  certificate = good,
  lets = 'host',
  clientCertificate = false,
  conf = '',
}: SetUp): Promise<void> {
  const option = clientCertificate ? ' clientcert=verify-ca' : ''
  server.write({
    'postgresql.conf': `ssl=${ssl}\n${conf}`,
    'server.crt': certificate.cert,
    'server.key': certificate.key,
    'ca.crt': ours.cert,
    'pg_hba.conf': `${lets} all all 127.0.0.1/32 scram-sha-256${option}\nlocal all all trust\n`,
  })
  await server.reload()
}

interface Asked {
  readonly host?: string
  readonly port?: number
  readonly env?: Readonly<Record<string, string>>
}

function urlWith(parameters: string, { host = '127.0.0.1', port = server.port }: Asked = {}) {
  return `postgres://postgres:${superuserPassword}@${host}:${port}/postgres?connect_timeout=5&${parameters}`
}

const never = new AbortController().signal

function connecting(parameters: string, asked: Asked = {}): Connecting {
  const env = { DATABASE_URL: urlWith(parameters, asked), ...asked.env }
  const { addresses, problems } = readAddress(env)
  assert.deepEqual(problems, [])
  const wanted = {
    addresses,
    schema: 'lockstep',
    pooler: 'refuse' as const,
    connectWaitMs: 0,
    heartbeatMs: 10_000,
  }
  const run = { id: 'cafe0123', pod: 'test', isAttended: false }
  return new Connecting(wanted, run, () => undefined, never)
}

/** What becomes of one try to connect: what its encryption is worth, or all that is told. */
async function outcome(parameters: string, asked: Asked = {}): Promise<string> {
  await using connection = connecting(parameters, asked)
  const said = await connection.result.then(
    ({ session }) => session.encryption,
    (error: unknown) => {
      assert.ok(error instanceof Failure)
      return `${error.code} ${told(error)}`
    },
  )
  assert.doesNotMatch(said, /canary/)
  return said
}

// What the letters of the table below stand for.
const outcomes: Readonly<Record<string, RegExp>> = {
  p: /^no TLS$/,
  P: /^no TLS \(.+\)$/, // after TLS was refused
  t: /^TLS (?:allow|prefer|require), certificate not checked$/,
  c: /^TLS verify-ca$/,
  f: /^TLS verify-full$/,
  h: /^LOGIN_REFUSED .*pg_hba\.conf/,
  k: /^LOGIN_REFUSED .*valid client certificate/,
  o: /^TLS_FAILED .* does not offer TLS, and sslmode is (?:require|verify-ca|verify-full)\n/,
  x: /^TLS_FAILED .*the server’s certificate has expired\n/,
  u: /^TLS_FAILED .*the server’s certificate is not signed by a trusted authority; .*\n/,
  n: /^TLS_FAILED .*certificate is for another name: DNS:other\.example, IP Address:10\.0\.0\.1\n/,
}

const ca = `sslrootcert=${at('ca.crt')}`
const modes = [
  'sslmode=disable',
  'sslmode=allow',
  'sslmode=prefer',
  'sslmode=require',
  `sslmode=allow&${ca}`,
  `sslmode=prefer&${ca}`,
  `sslmode=require&${ca}`,
  `sslmode=verify-ca&${ca}`,
  `sslmode=verify-full&${ca}`,
]

// A case: the server, and what becomes of each mode in the order above. The libpq of PostgreSQL 15
// gave the same, seen once by hand.
for (const [what, set, expected] of [
  ['without TLS', { ssl: 'off' }, 'pppoppooo'],
  ['with TLS', {}, 'ppttpcccf'],
  [
    'with the certificate of another host',
    { certificate: await ours.sign({ name: 'x', dns: ['other.example'], ips: ['10.0.0.1'] }) },
    'ppttpcccn',
  ],
  [
    'with a certificate that has expired',
    { certificate: await ours.sign({ ...names, days: -1 }) },
    'ppttpPxxx',
  ],
  [
    'with a certificate of an unknown authority',
    { certificate: await theirs.sign(names) },
    'ppttpPuuu',
  ],
  ['that wants a client certificate', { clientCertificate: true, lets: 'hostssl' }, 'hkhkkhkkk'],
  ['that wants TLS', { lets: 'hostssl' }, 'htttccccf'],
  ['that does not want TLS', { lets: 'hostnossl' }, 'ppPhpPhhh'],
] as const) {
  test(`a server ${what}`, async () => {
    await setUp(set)
    for (const [index, mode] of modes.entries()) {
      assert.match(await outcome(mode), outcomes[expected[index] ?? ''] ?? /never/, mode)
    }
  })
}

test('a session beside another goes the way that the other went', async () => {
  for (const [lets, mode, encryption] of [
    ['hostnossl', 'prefer', /^no TLS$/],
    ['hostssl', 'allow', /^TLS require, certificate not checked$/],
    ['hostssl', `allow&${ca}`, /^TLS verify-ca$/],
  ] as const) {
    await setUp({ lets })
    await using connection = connecting(`sslmode=${mode}`)
    const { session } = await connection.result
    await using beside = await session.beside('lockstep/test', never)
    assert.equal((await beside.query('select 1')).length, 1)
    assert.match(beside.encryption, encryption)
  }
})

const full = `sslmode=verify-full&${ca}`

// A case: the names in the certificate, the host that is asked for, and whether it is the right one.
for (const [what, content, host, isRight] of [
  ['an IP address, of its own certificate', { ips: ['127.0.0.1'] }, '127.0.0.1', true],
  ['an IP address, of one for localhost', { dns: ['localhost'] }, '127.0.0.1', false],
  ['an IP address, of one for another', { ips: ['127.0.0.2'] }, '127.0.0.1', false],
  ['localhost, of its own certificate', { dns: ['localhost'] }, 'localhost', true],
  ['localhost, of one for its IP address', { ips: ['127.0.0.1'] }, 'localhost', false],
  ['localhost, of an old one without names', { name: 'localhost' }, 'localhost', true],
  ['an IP address, of an old one without names', { name: '127.0.0.1' }, '127.0.0.1', false],
  [
    'localhost, of one whose other name counts',
    { name: 'localhost', dns: ['x'] },
    'localhost',
    false,
  ],
] as const) {
  test(`verify-full to ${what}: ${isRight ? 'right' : 'refused'}`, async () => {
    await setUp({ certificate: await ours.sign({ name: 'db', ...content }) })
    const said = await outcome(full, { host })
    if (isRight) assert.equal(said, 'TLS verify-full')
    else
      assert.match(
        said,
        /^TLS_FAILED .*the server’s certificate (?:is for another name: |names no host\n)/,
      )
  })
}

/** The host is only a name, since `hostaddr` says where it is. */
function toHost(host: string): Promise<string> {
  return outcome(`${full}&hostaddr=127.0.0.1`, { host })
}

test('hostaddr is where, host is who: a wildcard of one label', async () => {
  await setUp({ certificate: await ours.sign({ name: 'db', dns: ['*.db.example'] }) })
  assert.equal(await toHost('a.db.example'), 'TLS verify-full')
  assert.match(await toHost('a.b.db.example'), /^TLS_FAILED .*another name: DNS:\*\.db\.example\n/)
  assert.match(await toHost('db.example'), /^TLS_FAILED .*another name/)
})

const own = (name: string): string => `sslcert=${at(`${name}.crt`)}&sslkey=${at(`${name}.key`)}`

// A case: the parameters, and what becomes of them at a server that wants a client certificate.
for (const [what, parameters, said] of [
  ['with one', own('client'), /^TLS verify-full$/],
  [
    'with an encrypted key',
    `sslcert=${at('client.crt')}&sslkey=${at('locked.key')}&sslpassword=canary-of-the-key`,
    /^TLS verify-full$/,
  ],
  [
    'with an encrypted key and a wrong password',
    `sslcert=${at('client.crt')}&sslkey=${at('locked.key')}&sslpassword=canary`,
    /^TLS_FAILED .* the key is encrypted, and sslpassword does not open it\n/,
  ],
  [
    'with an encrypted key and no password',
    `sslcert=${at('client.crt')}&sslkey=${at('locked.key')}`,
    /^TLS_FAILED .* the key is encrypted, and sslpassword does not open it\n/,
  ],
  ['with one of an unknown authority', own('stranger'), /^TLS_FAILED .*does not accept the client/],
  ['without a key', `sslcert=${at('client.crt')}`, /^TLS_FAILED sslcert has a certificate, sslkey/],
  [
    'with the key of another',
    `sslcert=${at('client.crt')}&sslkey=${at('stranger.key')}`,
    /^TLS_FAILED .* the key is not that of the certificate\n/,
  ],
  [
    'with a file that holds none',
    `sslcert=${at('empty.crt')}&sslkey=${at('client.key')}`,
    /^TLS_FAILED .* the file of the certificate holds none\n/,
  ],
  [
    'with a file that is not there',
    `sslcert=${at('none')}&sslkey=${at('client.key')}`,
    /^TLS_FAILED the file that sslcert names cannot be read: there is no such file\n/,
  ],
] as const) {
  test(`a client certificate: ${what}`, async () => {
    await setUp({ clientCertificate: true, lets: 'hostssl' })
    assert.match(await outcome(`${full}&${parameters}`), said)
  })
}

test('a client certificate that is not accepted ends the run, under prefer too', async () => {
  await setUp({})
  const said =
    /^TLS_FAILED .*the server does not accept the client certificate that sslcert names\n/
  for (const mode of ['prefer', 'require']) {
    assert.match(await outcome(`sslmode=${mode}&${own('stranger')}`), said)
  }
  assert.equal(await outcome(`sslmode=allow&${own('stranger')}`), 'no TLS')
})

test('a key that others may read is not used, unless it is root’s and its group’s', async () => {
  await setUp({ clientCertificate: true, lets: 'hostssl' })
  const isRoot = process.getuid?.() === 0
  try {
    for (const [mode, isFine] of [
      [0o400, true],
      [0o640, isRoot],
      [0o440, isRoot],
      [0o660, false],
      [0o644, false],
    ] as const) {
      chmodSync(at('client.key'), mode)
      const said = await outcome(`${full}&${own('client')}`)
      if (isFine) assert.equal(said, 'TLS verify-full', mode.toString(8))
      else assert.match(said, /^TLS_FAILED the key that sslkey names has group or world access\n/)
    }
  } finally {
    chmodSync(at('client.key'), 0o600)
  }
})

test('a certificate that is signed by itself is trusted where it is named', async () => {
  const certificate = await signedByItself(names)
  folder.write({ 'itself.crt': certificate.cert })
  await setUp({ certificate })
  assert.match(await outcome(full), /^TLS_FAILED .*the server’s certificate is signed by itself, /)
  const named = `sslmode=verify-full&sslrootcert=${at('itself.crt')}`
  assert.equal(await outcome(named), 'TLS verify-full')
})

test('certificates that were withdrawn are refused', async () => {
  await setUp({})
  assert.equal(await outcome(`${full}&sslcrl=${at('good.crl')}`), 'TLS verify-full')
  assert.match(
    await outcome(`${full}&sslcrl=${at('bad.crl')}`),
    /^TLS_FAILED .*the server’s certificate was revoked\n/,
  )
  assert.match(
    await outcome(`${full}&sslcrl=${at('empty.crt')}`),
    /^TLS_FAILED .* the file of sslcrl holds no list/,
  )
})

test('a file of authorities that cannot be used ends the run, under prefer too', async () => {
  await setUp({})
  for (const [name, said] of [
    ['none', /^TLS_FAILED the file that sslrootcert names cannot be read: there is no such file\n/],
    ['.', /^TLS_FAILED the file that sslrootcert names cannot be read: it is a folder\n/],
    ['empty.crt', /^TLS_FAILED the file that sslrootcert names holds no certificate\n/],
  ] as const) {
    for (const mode of ['prefer', 'require', 'verify-ca', 'verify-full'])
      assert.match(await outcome(`sslmode=${mode}&sslrootcert=${at(name)}`), said)
  }
})

test('without sslrootcert verify-full trusts public authorities, and not ours', async () => {
  await setUp({})
  assert.match(
    await outcome('sslmode=verify-full'),
    /^TLS_FAILED .*is not signed by a trusted authority/,
  )
  assert.match(await outcome('sslrootcert=system'), /^TLS_FAILED .*(not signed by|no certificates)/)
})

test('a version of TLS that the server does not have is told', async () => {
  await setUp({})
  assert.equal(await outcome(`${full}&ssl_max_protocol_version=TLSv1.2`), 'TLS verify-full')
  assert.equal(await outcome(`${full}&ssl_min_protocol_version=TLSv1.3`), 'TLS verify-full')
  await setUp({ conf: "ssl_max_protocol_version='TLSv1.2'\n" })
  assert.match(
    await outcome(`${full}&ssl_min_protocol_version=TLSv1.3`),
    /^TLS_FAILED .*no version of TLS in common\n/,
  )
})

test('TLS from the first byte on, where the server has it', async () => {
  await setUp({})
  const said = await outcome(`${full}&sslnegotiation=direct`)
  if (major >= 17) assert.equal(said, 'TLS verify-full')
  else assert.match(said, /^DATABASE_UNREACHABLE .*\nsslnegotiation=direct needs PostgreSQL 17/)
})

/** A peer that answers the first message like this, and says nothing more. */
function answering(bytes: string): ReturnType<typeof listen> {
  return listen((socket) => socket.once('data', () => socket.write(bytes)))
}

// A case: what a peer answers when it is asked for TLS, and what is said of it.
for (const [what, bytes, said] of [
  ['S and no handshake', 'S', /^DATABASE_UNREACHABLE .*no answer within 1 s\n/],
  ['more than one byte', 'SX', /^TLS_FAILED .*more than one byte/],
  ['an H', 'H', /^TLS_FAILED what answers at .* is no PostgreSQL\n/],
  ['an error', 'E', /^DATABASE_UNREACHABLE .*the connection was closed at once\n/],
] as const) {
  test(`a peer that answers with ${what}`, async () => {
    await using peer = await answering(bytes)
    const strict = ['prefer', 'require', 'verify-full']
    const outcomes3 = strict.map((mode) => outcome(`sslmode=${mode}&connect_timeout=1`, peer))
    for (const text of await Promise.all(outcomes3)) assert.match(text, said)
  })
}

test('a peer that answers the handshake with something else', async () => {
  await using peer = await listen((socket) => {
    socket.once('data', () => socket.write('S'))
    socket.on('data', (chunk: Buffer) => {
      if (chunk[0] === 0x16) socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
  })
  assert.match(await outcome('sslmode=require', peer), /^TLS_FAILED .*does not speak TLS\n/)
})

test('a peer that closes in the handshake may be there later', async () => {
  await using peer = await listen((socket) => {
    socket.once('data', () => socket.end('S'))
  })
  for (const mode of ['prefer', 'require'])
    assert.match(await outcome(`sslmode=${mode}`, peer), /^DATABASE_UNREACHABLE .*closed at once\n/)
})

/** A server of TLS that is no PostgreSQL; keeps the name for which it was asked. */
async function tlsPeer(isDirect: boolean) {
  const asked: string[] = []
  const encrypt = (socket: Socket): void => {
    const encrypted = new TLSSocket(socket, { ...good, isServer: true })
    encrypted.on('error', () => undefined)
    encrypted.on('secure', () => {
      asked.push(String(encrypted.servername))
      encrypted.end()
    })
  }
  const peer = await listen((socket) => {
    if (isDirect) encrypt(socket)
    else socket.once('data', () => socket.write('S', () => encrypt(socket)))
  })
  return Object.assign(peer, { asked })
}

test('the server is told for which host it is asked, unless that is an IP address', async () => {
  await using peer = await tlsPeer(false)
  const { port } = peer
  await outcome('sslmode=require', { host: 'localhost', port })
  await outcome('sslmode=require&sslsni=0', { host: 'localhost', port })
  await outcome('sslmode=require', { port })
  assert.deepEqual(peer.asked, ['localhost', 'false', 'false'])
})

test('direct TLS with what does not agree on PostgreSQL is refused', async () => {
  await using peer = await tlsPeer(true)
  assert.match(
    await outcome(`${full}&sslnegotiation=direct`, peer),
    /^TLS_FAILED .* does not take TLS directly\n/,
  )
})

const sql = folderOf({ '0001_a.sql': 'create table if not exists a (id int);\n' })
after(() => sql[Symbol.dispose]())

function runWith(parameters: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const url = urlWith(parameters)
  return runProgram({
    env: { DATABASE_URL: url, LOCKSTEP_DIR: sql.path, ...env },
    form: 'bundle',
  })
}

test('the program says what the encryption is worth, and why there is none', async () => {
  await setUp({})
  assertSucceeded(await runWith(full), /^database .*, TLS verify-full$/m)
  assertSucceeded(await runWith('sslmode=require'), /, TLS require, certificate not checked$/m)
  assertFailed(
    await runWith(`sslmode=verify-full&sslrootcert=${at('theirs.crt')}`),
    64,
    'TLS_FAILED',
    /^failed +127\.0\.0\.1:\d+\/postgres fails sslmode verify-full: the server’s certificate is not signed by a/m,
  )
  await setUp({ lets: 'hostnossl' })
  assertSucceeded(await runWith('sslmode=prefer'), /, no TLS \(no pg_hba\.conf entry .*\)$/m)
  await setUp({ lets: 'hostssl', clientCertificate: true })
  assertFailed(
    await runWith('sslmode=prefer'),
    64,
    'LOGIN_REFUSED',
    /no pg_hba\.conf entry/,
    /^ +before that, the other way of sslmode: connection requires a valid client certificate/m,
  )
})

test('authorities that the system or its user adds are trusted where public ones are', async () => {
  await setUp({})
  const system = await runWith('sslrootcert=system', { SSL_CERT_FILE: at('ca.crt') })
  assertSucceeded(system, 'TLS verify-full')
  const extra = await runWith('sslmode=verify-full', { NODE_EXTRA_CA_CERTS: at('ca.crt') })
  assertSucceeded(extra, 'TLS verify-full')
  mkdirSync(at('no-certificates'))
  const none = { SSL_CERT_FILE: at('none'), SSL_CERT_DIR: at('no-certificates') }
  assertFailed(
    await runWith('sslrootcert=system', none),
    64,
    'TLS_FAILED',
    'install ca-certificates',
  )
})

test('no secret is in any output of what goes wrong with TLS', async () => {
  await setUp({ clientCertificate: true, lets: 'hostssl' })
  const locked = `sslcert=${at('client.crt')}&sslkey=${at('locked.key')}`
  for (const parameters of [
    'sslmode=require',
    `sslmode=verify-full&sslrootcert=${at('theirs.crt')}`,
    `${full}&${own('stranger')}`,
    `${full}&${locked}&sslpassword=canary-that-is-wrong`,
    `${full}&sslcert=canary&sslkey=canary`,
    'sslmode=verify-full&sslrootcert=canary',
    'sslmode=canary',
    'sslmode=require&sslpassword=canary&sslsni=canary',
  ]) {
    for (const format of ['pretty', 'json']) {
      const ran = await runWith(parameters, { LOCKSTEP_LOG_FORMAT: format })
      assert.equal(ran.exit, 64, ran.output)
      assert.doesNotMatch(ran.output, /canary|^\s+at |node:internal/m)
    }
  }
})

test('node:tls is loaded where a connection is encrypted, and nowhere else', async () => {
  const ask = `process.on('exit', () => {
    console.log('tls', process.moduleLoadList.includes('NativeModule tls'))
  })`
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(ask)}` }
  await setUp({})
  assertSucceeded(await runWith('sslmode=require', env), /^tls true$/m)
  assertSucceeded(await runWith('sslmode=disable', env), /^tls false$/m)
  assertSucceeded(await runWith('sslmode=allow', env), /^tls false$/m)
  const socket = `host=${server.socketFolder}&sslmode=verify-full`
  assertSucceeded(await runWith(socket, env), /unix socket/, /^tls false$/m)
  await setUp({ ssl: 'off' })
  assertSucceeded(await runWith('sslmode=prefer', env), /^tls false$/m)
})
