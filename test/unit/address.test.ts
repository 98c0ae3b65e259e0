import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeAddress, readAddress, type Address } from '../../src/postgres/address.ts'

const canary = 'c4n4ry'

/** The address of an environment that has no mistake. */
function addressOf(env: Readonly<Record<string, string>>): Address {
  const { address, problems } = readAddress(env)
  assert.ok(address, problems.join('\n'))
  assert.deepEqual(problems, [])
  return address
}

const plain = {
  host: 'host',
  port: 5432,
  user: 'user',
  password: '',
  database: 'user',
  sslMode: 'prefer',
  sslRootCert: undefined,
  options: undefined,
  connectTimeoutMs: 10_000,
} as const satisfies Address

// A case: the connection string, and in what it differs from the plainest.
for (const [url, differs] of [
  ['postgres://user@host', {}],
  ['postgresql://user@host', {}],
  ['postgres://user@host/', {}],
  ['postgres://user:@host:/?', {}],
  ['postgres://user:secret@host/db', { password: 'secret', database: 'db' }],
  ['postgres://user@host:6543/db', { port: 6543, database: 'db' }],
  ['postgres://user@host:065/db', { port: 65, database: 'db' }],
  ['postgres://user:p%40s%3As%2Fw%23%3F%25@host', { password: 'p@s:s/w#?%' }],
  ['postgres://user:%C3%BC%F0%9F%90%98@host', { password: 'ü🐘' }],
  ['postgres://user:ü🐘@host', { password: 'ü🐘' }],
  ['postgres://user:a+b c@host', { password: 'a+b c' }], // + is no space here
  ['postgres://user:p@ss@host', { password: 'p@ss' }],
  ['postgres://user:p:ss@host', { password: 'p:ss' }],
  ['postgres://user:p@ss:w@rd@host:1/db', { password: 'p@ss:w@rd', port: 1, database: 'db' }],
  ['postgres://user:[a,b]@host', { password: '[a,b]' }],
  ['postgres://us%40er@host', { user: 'us@er', database: 'us@er' }],
  ['postgres://user@host/my%20db%2Fx', { database: 'my db/x' }],
  ['postgres://user@[::1]/db', { host: '::1', database: 'db' }],
  ['postgres://user@[2001:db8::7]:6543/db', { host: '2001:db8::7', port: 6543, database: 'db' }],
  ['postgres://user@[fe80::1%25eth0]', { host: 'fe80::1%eth0' }],
  ['postgres://user@%2Fvar%2Frun/db', { host: '/var/run', database: 'db' }],
  ['postgres://user@/db?host=/var/run', { host: '/var/run', database: 'db' }],
  ['postgres://user@ignored/db?host=%2Fvar%2Frun', { host: '/var/run', database: 'db' }],
  ['postgres:///db?host=host&user=user', { database: 'db' }],
  ['postgres://?user=user&password=p%40ss&host=host', { password: 'p@ss' }],
  ['postgres://user@host/a?dbname=b', { database: 'b' }],
  ['postgres://user@host?port=1', { port: 1 }],
  ['postgres://user@host:1?port=2', { port: 2 }],
  ['postgres://user@host?port=1&port=2', { port: 2 }],
  ['postgres://user@host?port=&sslmode=', {}],
  ['postgres://user@host?&&', {}],
  ['postgres://user@host?sslmode=verify-full', { sslMode: 'verify-full' }],
  ['postgres://user@host?sslmode=disable', { sslMode: 'disable' }],
  ['postgres://user@host?sslrootcert=/ca.crt', { sslRootCert: '/ca.crt' }],
  ['postgres://user@host?options=-c%20role%3Downer', { options: '-c role=owner' }],
  ['postgres://user@host?options=-c role=owner', { options: '-c role=owner' }],
  ['postgres://user@host?connect_timeout=3', { connectTimeoutMs: 3_000 }],
  ['postgres://user@host?connect_timeout=0', { connectTimeoutMs: 10_000 }],
  ['postgres://user@host?application_name=x', {}],
] as const) {
  test(`${url} is read as libpq would read it`, () => {
    assert.deepEqual(readAddress({ DATABASE_URL: url }), {
      address: { ...plain, ...differs },
      problems: [],
      warnings: [],
    })
  })
}

// A case: the connection string, and what is said of it. PGUSER is set, so that nothing else is missing.
for (const [url, said] of [
  [`postgres://user:a/${canary}@host/db`, /percent-encoded/],
  [`postgres://user:a?${canary}@host/db`, /percent-encoded/],
  [`postgres://user:a#${canary}@host/db`, /percent-encoded/],
  [`postgres://user:#${canary}@host/db`, /percent-encoded/],
  [`postgres://user:1/${canary}@host/db`, /percent-encoded/],
  [`postgres://user:1?${canary}@host/db`, /percent-encoded/],
  [`postgres://user:1?${canary}=@host/db`, /percent-encoded/],
  [`postgres://user:1#${canary}@host/db`, /percent-encoded/],
  [`postgres://user:p@${canary}/w@host/db`, /percent-encoded/],
  [`postgres://user:p@${canary}?w@host/db`, /percent-encoded/],
  [`postgres://user:p@${canary}#w@host/db`, /percent-encoded/],
  [`postgres://user:100%${canary}@host/db`, /percent-encoded/],
  [`postgres://user:${canary}%@host/db`, /percent-encoded/],
  [`postgres://user:${canary}%C3@host/db`, /percent-encoded/], // half a character
  [`postgres://user@host/db?options=%${canary}`, /percent-encoded/],
  [`postgres://user:${canary}%00@host/db`, /./], // would end the field of the protocol early
  [`jdbc:postgresql://host/db?password=${canary}`, /is a JDBC address/],
  [`host=host password=${canary}`, /is a key=value string/],
  [`  password = ${canary}`, /is a key=value string/],
  [`mysql://user:${canary}@host/db`, /does not begin with postgres:/],
  [`postgresqls://user:${canary}@host/db`, /does not begin with postgres:/],
  [`POSTGRES://user:${canary}@host/db`, /does not begin with postgres:/],
  [`//user:${canary}@host/db`, /does not begin with postgres:/],
  [`user:${canary}@host/db`, /does not begin with postgres:/],
  [`"postgres://user:${canary}@host/db"`, /does not begin with postgres:/],
  [canary, /does not begin with postgres:/],
  [`postgres://user:${canary}@host:0/db`, /port/],
  [`postgres://user:${canary}@host:65536/db`, /port/],
  [`postgres://user:${canary}@host:99999999999999999999/db`, /port/],
  [`postgres://user:${canary}@host:-1/db`, /cannot be read/],
  [`postgres://user:${canary}@host:abc/db`, /cannot be read/],
  [`postgres://user:${canary}@host?port=abc`, /port/],
  [`postgres://user:${canary}@host?port=1.5`, /port/],
  [`postgres://user:${canary}@host?port=0x10`, /port/],
  [`postgres://user:${canary}@host?port=1e3`, /port/],
  [`postgres://user:${canary}@a,b/db`, /several hosts/],
  [`postgres://user:${canary}@a:1,b:2/db`, /several hosts/],
  [`postgres://user:${canary}@a/db?host=a,b`, /several hosts/],
  [`postgres://user:${canary}@::1/db`, /./],
  [`postgres://user@host/db?sslmode=${canary}`, /sslmode is none of disable, allow, prefer/],
  [`postgres://user@host/db?sslmode=REQUIRE`, /sslmode is none of/],
  [`postgres://user@host/db?connect_timeout=${canary}`, /connect_timeout/],
  [`postgres://user@host/db?connect_timeout=-1`, /connect_timeout/],
  [`postgres://user@host/db?connect_timeout=Infinity`, /connect_timeout/],
] as const) {
  test(`${url} is refused, and no part of it is told`, () => {
    const { address, problems, warnings } = readAddress({ DATABASE_URL: url, PGUSER: 'user' })
    assert.equal(address, undefined)
    assert.match(problems.join('\n'), said)
    assert.doesNotMatch([...problems, ...warnings].join('\n'), new RegExp(canary, 'i'))
  })
}

test('a time-out to connect is one that a timer can hold', () => {
  for (const seconds of ['0.0005', '1.001', '2147484', '4294968', '1e300']) {
    const { address } = readAddress({
      DATABASE_URL: `postgres://user@host?connect_timeout=${seconds}`,
    })
    const ms = address?.connectTimeoutMs ?? 1 // refusing it is as good
    assert.ok(Number.isInteger(ms) && ms < 2 ** 31, `${seconds} s become ${ms} ms`)
  }
})

test('without a URL the PG variables say all', () => {
  const env = {
    PGHOST: 'host',
    PGPORT: '1',
    PGUSER: 'user',
    PGPASSWORD: 'p@:/?#%20ss',
    PGDATABASE: 'db',
    PGSSLMODE: 'require',
    PGSSLROOTCERT: '/ca.crt',
    PGOPTIONS: '-c role=owner',
    PGCONNECT_TIMEOUT: '3',
  }
  assert.deepEqual(addressOf(env), {
    host: 'host',
    port: 1,
    user: 'user',
    password: 'p@:/?#%20ss', // as it is: only a URL is encoded
    database: 'db',
    sslMode: 'require',
    sslRootCert: '/ca.crt',
    options: '-c role=owner',
    connectTimeoutMs: 3_000,
  })
  assert.equal(addressOf({ PGHOST: '/var/run', PGUSER: 'user' }).host, '/var/run')
})

test('the URL goes before the PG variables, which fill in what it leaves open', () => {
  const variables = {
    PGHOST: 'other',
    PGPORT: '1',
    PGUSER: 'other',
    PGPASSWORD: 'other',
    PGDATABASE: 'other',
    PGSSLMODE: 'disable',
  }
  const url = 'postgres://user:secret@host:2/db?sslmode=require'
  assert.deepEqual(addressOf({ ...variables, DATABASE_URL: url }), {
    ...plain,
    port: 2,
    password: 'secret',
    database: 'db',
    sslMode: 'require',
  })
  assert.deepEqual(addressOf({ ...variables, DATABASE_URL: 'postgres://' }), {
    ...plain,
    host: 'other',
    port: 1,
    user: 'other',
    password: 'other',
    database: 'other',
    sslMode: 'disable',
  })
})

test('without a host it is this machine, and without a database the one that is called as the user', () => {
  const { host, database } = addressOf({ DATABASE_URL: 'postgres://someone@' })
  assert.deepEqual({ host, database }, { host: 'localhost', database: 'someone' })
})

test('an address without a user is refused: the user of a container means nothing', () => {
  for (const env of [{ DATABASE_URL: 'postgres://host/db' }, { PGHOST: 'host' }] as const) {
    assert.match(readAddress(env).problems.join('\n'), /names no user/)
  }
})

test('nothing about an address is told as such', () => {
  assert.match(readAddress({}).problems.join('\n'), /DATABASE_URL is not set/)
  assert.match(readAddress({ PGUSER: 'user' }).problems.join('\n'), /DATABASE_URL is not set/)
})

test('wrong PG variables are refused like wrong parts of a URL', () => {
  const env = { PGHOST: 'host', PGUSER: 'user' }
  assert.match(readAddress({ ...env, PGPORT: '70000' }).problems.join('\n'), /port/)
  assert.match(readAddress({ ...env, PGSSLMODE: canary }).problems.join('\n'), /sslmode/)
  assert.match(readAddress({ ...env, PGCONNECT_TIMEOUT: 'x' }).problems.join('\n'), /connect_time/)
  assert.match(readAddress({ ...env, PGHOST: 'a,b' }).problems.join('\n'), /several hosts/)
})

test('a parameter that is not known is left out with a warning that does not show its value', () => {
  const url = `postgres://user@host/db?pgbouncer=true&schema=${canary}&channel_binding=require&toString=x`
  const { address, warnings } = readAddress({ DATABASE_URL: url })
  assert.equal(address?.host, 'host')
  assert.deepEqual(
    warnings,
    ['pgbouncer', 'schema', 'channel_binding', 'toString'].map(
      (name) => `the parameter "${name}" of DATABASE_URL is ignored`,
    ),
  )
})

for (const [url, described] of [
  ['postgres://us3r:s3cret@host/db', 'host:5432/db'],
  ['postgres://us3r:s3cret@host:6543/db?options=-c%20role%3Ds3cret', 'host:6543/db'],
  ['postgres://us3r:s3cret@[::1]:6543/db', '[::1]:6543/db'],
  ['postgres://us3r:s3cret@/db?host=/var/run', '/var/run/db'],
  ['postgres://us3r:s3@cret@host/db', 'host:5432/db'],
] as const) {
  test(`${url} is described as ${described}`, () => {
    assert.equal(describeAddress(addressOf({ DATABASE_URL: url })), described)
  })
}
