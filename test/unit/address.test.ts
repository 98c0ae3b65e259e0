import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { describeAddress, readAddress, type Address } from '../../src/postgres/address.ts'
import { folderOf } from '../support/folder.ts'

const canary = 'c4n4ry'

type Differs = Partial<Omit<Address, 'tls'>> & { readonly tls?: Partial<Address['tls']> }

/** The plainest address, and in what this one differs from it. */
function addressWith({ tls, ...differs }: Differs = {}): Address {
  return {
    host: 'host',
    ip: undefined,
    port: 5432,
    user: 'user',
    password: '',
    database: 'user',
    options: undefined,
    connectTimeoutMs: 10_000,
    readWrite: false,
    ...differs,
    tls: {
      mode: 'prefer',
      rootCert: undefined,
      crl: undefined,
      cert: undefined,
      key: undefined,
      keyPassword: undefined,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      sni: true,
      direct: false,
      ...tls,
    },
  }
}

/** The addresses of an environment that has no mistake. */
function addressesOf(env: Readonly<Record<string, string>>): readonly Address[] {
  const { addresses, problems } = readAddress(env)
  assert.deepEqual(problems, [])
  return addresses
}

function addressOf(env: Readonly<Record<string, string>>): Address {
  const [address, ...others] = addressesOf(env)
  assert.ok(address && others.length === 0)
  return address
}

/** All that is said of an environment that is refused. */
function refused(env: Readonly<Record<string, string>>): string {
  const { addresses, problems, warnings } = readAddress(env)
  assert.deepEqual(addresses, [])
  const said = [...problems, ...warnings].join('\n')
  assert.doesNotMatch(said, new RegExp(canary, 'i'))
  return problems.join('\n')
}

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
  ['postgres://user@host?sslmode=verify-full', { tls: { mode: 'verify-full' } }],
  ['postgres://user@host?sslmode=disable', { tls: { mode: 'disable' } }],
  ['postgres://user@host?sslrootcert=/ca.crt', { tls: { rootCert: '/ca.crt' } }],
  ['postgres://user@host?options=-c%20role%3Downer', { options: '-c role=owner' }],
  ['postgres://user@host?options=-c role=owner', { options: '-c role=owner' }],
  ['postgres://user@host?connect_timeout=3', { connectTimeoutMs: 3_000 }],
  ['postgres://user@host?connect_timeout=0', { connectTimeoutMs: 10_000 }],
  ['postgres://user@host?sslmode=require', { tls: { mode: 'require' } }],
  ['postgres://user@host?sslmode=allow', { tls: { mode: 'allow' } }],
  ['postgres://user@host?ssl=true', { tls: { mode: 'require' } }], // as libpq takes it from JDBC
  [
    'postgres://user@host?sslmode=verify-ca&sslrootcert=/ca.crt',
    { tls: { mode: 'verify-ca', rootCert: '/ca.crt' } },
  ],
  ['postgres://user@host?sslrootcert=system', { tls: { mode: 'verify-full', rootCert: 'system' } }],
  [
    'postgres://user@host?sslcert=/c&sslkey=/k&sslpassword=p%40ss&sslcrl=/r&sslsni=0',
    { tls: { cert: '/c', key: '/k', keyPassword: 'p@ss', crl: '/r', sni: false } },
  ],
  ['postgres://user@host?ssl_min_protocol_version=TLSv1.3', { tls: { minVersion: 'TLSv1.3' } }],
  ['postgres://user@host?ssl_max_protocol_version=TLSv1.2', { tls: { maxVersion: 'TLSv1.2' } }],
  [
    'postgres://user@host?sslmode=require&sslnegotiation=direct',
    { tls: { mode: 'require', direct: true } },
  ],
  ['postgres://user@host?target_session_attrs=any', {}],
  ['postgres://user@host?target_session_attrs=primary', {}],
  ['postgres://user@host?target_session_attrs=read-write', { readWrite: true }],
  ['postgres://user@host?hostaddr=10.0.0.1', { ip: '10.0.0.1' }],
  ['postgres://user@?hostaddr=::1', { host: '::1', ip: '::1' }],
  ['postgres://user@host?load_balance_hosts=disable', {}],
  ['postgres://user@host?gssencmode=prefer&sslcompression=0', {}],
  ['postgres://user@host?channel_binding=disable&gssencmode=disable&replication=false', {}],
  ['postgres://user@host?client_encoding=UTF8&min_protocol_version=3.0&sslcertmode=allow', {}],
  // libpq's three spellings of a unix socket
  ['postgres:///db?host=/run/pg&user=user', { host: '/run/pg', database: 'db' }],
  ['postgres://user@%2Frun%2Fpg/db', { host: '/run/pg', database: 'db' }],
  ['postgres://user@%2Frun%2Fpg:6543/db', { host: '/run/pg', port: 6543, database: 'db' }],
] as const satisfies readonly (readonly [string, Differs])[]) {
  test(`${url} is read as libpq would read it`, () => {
    assert.deepEqual(readAddress({ DATABASE_URL: url }), {
      addresses: [addressWith(differs)],
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
  [`postgres://user:${canary}@::1/db`, /./],
  [`postgres://user@host/db?sslmode=${canary}`, /sslmode is none of disable, allow, prefer/],
  [`postgres://user@host/db?sslmode=REQUIRE`, /sslmode is none of/],
  [`postgres://user@host/db?connect_timeout=${canary}`, /connect_timeout/],
  [`postgres://user@host/db?connect_timeout=-1`, /connect_timeout/],
  [`postgres://user@host/db?connect_timeout=Infinity`, /connect_timeout/],
  [`postgres://user:${canary}@a:1,b:2,c:3/db?port=1,2`, /3 hosts and 2 ports/],
  [`postgres://user:${canary}@a/db?port=1,2`, /1 hosts and 2 ports/],
  [`postgres://user:${canary}@a,b/db?port=1,x`, /port/],
  [`postgres://user:${canary}@a,b/db?hostaddr=10.0.0.1`, /2 hosts and 1 of hostaddr/],
  [`postgres://user@a/db?hostaddr=${canary}`, /hostaddr is not the IP address/],
  [`postgres://user@a/db?target_session_attrs=standby`, /asks for a standby/],
  [`postgres://user@a/db?target_session_attrs=read-only`, /asks for a standby/],
  [`postgres://user@a/db?target_session_attrs=prefer-standby`, /asks for a standby/],
  [`postgres://user@a/db?target_session_attrs=${canary}`, /none of any, read-write, primary/],
  [`postgres://user@a/db?service=${canary}`, /service is not supported: service files/],
  [`postgres://user@a/db?channel_binding=require`, /channel_binding can only be disable: the/],
  [`postgres://user@a/db?require_auth=scram-sha-256`, /require_auth is not supported/],
  [`postgres://user@a/db?requirepeer=${canary}`, /requirepeer is not supported/],
  [`postgres://user@a/db?sslcrldir=${canary}`, /sslcrldir is not supported/],
  [`postgres://user@a/db?sslcertmode=require`, /sslcertmode can only be allow/],
  [`postgres://user@a/db?gssencmode=require`, /gssencmode can only be disable or prefer/],
  [`postgres://user@a/db?min_protocol_version=3.2`, /min_protocol_version can only be 3\.0/],
  [`postgres://user@a/db?replication=database`, /replication can only be false/],
  [`postgres://user@a/db?scram_client_key=${canary}`, /scram_client_key is not supported/],
  [`postgres://user@a/db?scram_server_key=${canary}`, /scram_server_key is not supported/],
  [`postgres://user@a/db?sslmode=verify-ca`, /sslmode=verify-ca needs sslrootcert/],
  [`postgres://user@a/db?sslmode=require&sslrootcert=system`, /system needs sslmode=verify-full/],
  [`postgres://user@a/db?sslnegotiation=direct`, /direct needs sslmode=require/],
  [`postgres://user@a/db?sslnegotiation=${canary}`, /sslnegotiation is none of postgres, dir/],
  [`postgres://user@a/db?ssl_min_protocol_version=SSLv3`, /version is none of TLSv1, TLSv1\.1/],
  [`postgres://user@a/db?ssl_max_protocol_version=TLSv1.1`, /is above ssl_max_protocol_vers/],
  [`postgres://user@a/db?sslsni=${canary}`, /sslsni is none of 0, 1/],
  [`postgres://user@a/db?ssl=${canary}`, /"ssl" of DATABASE_URL is not one of PostgreSQL’s/],
  [`postgres://user@a/db?sslmod=${canary}`, /"sslmod" .* is not known; is sslmode meant\?/],
  [`postgres://user@a/db?sslMode=${canary}`, /is sslmode meant\?/],
  [`postgres://user@a/db?ssl-mode=${canary}`, /is sslmode meant\?/],
  [`postgres://user@a/db?CONNECT_TIMEOUT=${canary}`, /is connect_timeout meant\?/],
  [`postgres://user@a/db?${canary}`, /cannot be read/],
  [`postgres://user@a/db?Host=${canary}`, /is host meant\?/],
  [`postgres://user@a/db?pasword=${canary}`, /is password meant\?/],
  [`postgres://user@a/db?conect_timeout=3`, /is connect_timeout meant\?/],
  [`postgres://user@a/db?sslverify=true`, /is not one of PostgreSQL’s/],
  [`postgres://user@a/db?tls=true`, /is not one of PostgreSQL’s/],
  [`postgres://user@a/db?requiressl=1`, /is not one of PostgreSQL’s/],
  // a raw & in a password
  [`postgres://a/db?user=u&password=x&sslmode_${canary}=y`, /behind a password/],
] as const) {
  test(`${url} is refused, and no part of it is told`, () => {
    assert.match(refused({ DATABASE_URL: url, PGUSER: 'user' }), said)
  })
}

test('a time-out to connect is one that a timer can hold', () => {
  for (const seconds of ['0.0005', '1.001', '2147484', '4294968', '1e300']) {
    const [address] = readAddress({
      DATABASE_URL: `postgres://user@host?connect_timeout=${seconds}`,
    }).addresses
    const ms = address?.connectTimeoutMs ?? 1 // refusing it is as good
    assert.ok(Number.isInteger(ms) && ms < 2 ** 31, `${seconds} s become ${ms} ms`)
  }
})

test('without a URL the PG variables say all', () => {
  const env = {
    PGHOST: 'host',
    PGHOSTADDR: '10.0.0.1',
    PGPORT: '1',
    PGUSER: 'user',
    PGPASSWORD: 'p@:/?#%20ss',
    PGDATABASE: 'db',
    PGOPTIONS: '-c role=owner',
    PGCONNECT_TIMEOUT: '3',
    PGTARGETSESSIONATTRS: 'read-write',
    PGSSLMODE: 'require',
    PGSSLNEGOTIATION: 'direct',
    PGSSLROOTCERT: '/ca.crt',
    PGSSLCRL: '/ca.crl',
    PGSSLCERT: '/client.crt',
    PGSSLKEY: '/client.key',
    PGSSLSNI: '0',
    PGSSLMINPROTOCOLVERSION: 'TLSv1.1',
    PGSSLMAXPROTOCOLVERSION: 'TLSv1.2',
  }
  const expected = addressWith({
    ip: '10.0.0.1',
    port: 1,
    password: 'p@:/?#%20ss', // as it is: only a URL is encoded
    database: 'db',
    options: '-c role=owner',
    connectTimeoutMs: 3_000,
    readWrite: true,
    tls: {
      mode: 'require',
      direct: true,
      rootCert: '/ca.crt',
      crl: '/ca.crl',
      cert: '/client.crt',
      key: '/client.key',
      sni: false,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.2',
    },
  })
  assert.deepEqual(addressOf(env), expected)
  assert.equal(addressOf({ PGHOST: '/run/pg', PGUSER: 'user' }).host, '/run/pg')

  // The same, each from a file.
  using folder = folderOf(
    Object.fromEntries(Object.entries(env).map(([name, value]) => [name, `${value}\n`])),
  )
  const files = Object.keys(env).map((name) => [`${name}_FILE`, `${folder.path}/${name}`])
  assert.deepEqual(addressOf(Object.fromEntries(files)), expected)
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
  assert.deepEqual(
    addressOf({ ...variables, DATABASE_URL: url }),
    addressWith({ port: 2, password: 'secret', database: 'db', tls: { mode: 'require' } }),
  )
  assert.deepEqual(
    addressOf({ ...variables, DATABASE_URL: 'postgres://' }),
    addressWith({
      host: 'other',
      port: 1,
      user: 'other',
      password: 'other',
      database: 'other',
      tls: { mode: 'disable' },
    }),
  )
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
})

test('several hosts are several addresses, with a port for each or one for all', () => {
  const placesOf = (url: string, env: Readonly<Record<string, string>> = {}) =>
    addressesOf({ DATABASE_URL: url, ...env }).map(describeAddress)
  for (const [url, places] of [
    ['postgres://user@a,b/db', ['a:5432/db', 'b:5432/db']],
    ['postgres://user@a:1,b:2/db', ['a:1/db', 'b:2/db']],
    ['postgres://user@a:1,b/db', ['a:1/db', 'b:5432/db']],
    ['postgres://user@a,b/db?port=7', ['a:7/db', 'b:7/db']],
    ['postgres://user@[::1]:1,[::2],c:3/db', ['[::1]:1/db', '[::2]:5432/db', 'c:3/db']],
    ['postgres://user@/db?host=a,/run/pg&port=1,', ['a:1/db', '/run/pg/db']],
    ['postgres://user@a%2Cb/db', ['a:5432/db', 'b:5432/db']],
    ['postgres://user@a,,c/db', ['a:5432/db', 'localhost:5432/db', 'c:5432/db']],
  ] as const) {
    assert.deepEqual(placesOf(url), places, url)
  }
  const env = { PGHOST: 'a,b', PGPORT: '1,2' }
  assert.deepEqual(placesOf('postgres://user@/db', env), ['a:1/db', 'b:2/db'])
  assert.deepEqual(
    addressesOf({ DATABASE_URL: 'postgres://user@a,b/db?hostaddr=::1,' }).map(({ ip }) => ip),
    ['::1', undefined],
  )
})

test('what other programs want in the address is ignored with a warning without its value', () => {
  const names = `
    schema pgbouncer connection_limit pool_timeout sslaccept sslidentity statement_cache_size
    socket_timeout pool toString 1 currentSchema uselibpqcompat prepareThreshold search_path
    pool_max_conns prepared_statements max idle_timeout statement_timeout binary_parameters
    default_query_exec_mode`
    .trim()
    .split(/\s+/)
  const pairs = names.map((name) => `${encodeURIComponent(name)}=${canary}`)
  const { addresses, warnings } = readAddress({
    DATABASE_URL: `postgres://user@host?${pairs.join('&')}`,
  })
  assert.deepEqual(addresses, [addressWith()])
  assert.deepEqual(
    warnings,
    names.map((name) => `the parameter ${JSON.stringify(name)} of DATABASE_URL is ignored`),
  )
})

test('a piece of a password with a raw & is not told as a name', () => {
  const { addresses, warnings } = readAddress({
    DATABASE_URL: `postgres://host?user=user&password=x&${canary}=y`,
  })
  assert.deepEqual(addresses, [addressWith({ password: 'x' })])
  assert.match(warnings.join('\n'), /behind a password .* a raw & in a password must be %26$/)
  assert.doesNotMatch(warnings.join('\n'), new RegExp(canary))
})

test('what libpq knows and means nothing here is ignored with the reason', () => {
  const names = `
    application_name fallback_application_name client_encoding keepalives keepalives_idle
    keepalives_interval keepalives_count tcp_user_timeout sslcompression sslkeylogfile
    krbsrvname gsslib gssdelegation load_balance_hosts max_protocol_version oauth_issuer
    oauth_client_id oauth_client_secret oauth_scope timezone datestyle geqo`
    .trim()
    .split(/\s+/)
  for (const name of names) {
    const { addresses, warnings } = readAddress({
      DATABASE_URL: `postgres://user@host?${name}=${canary}`,
    })
    assert.deepEqual(addresses, [addressWith()], name)
    assert.match(warnings.join('\n'), new RegExp(`^${name} is ignored: .{10}`))
    assert.doesNotMatch(warnings.join('\n'), new RegExp(canary))
  }
})

test('that the channel is not bound is said where binding it was preferred', () => {
  const { addresses, warnings } = readAddress({
    DATABASE_URL: 'postgres://user@host?channel_binding=prefer',
  })
  assert.deepEqual(addresses, [addressWith()])
  assert.match(
    warnings.join('\n'),
    /^channel_binding is ignored: the driver cannot bind the channel/,
  )
})

test('the variables of libpq are treated as its parameters are', () => {
  const env = { PGHOST: 'host', PGUSER: 'user' }
  for (const [variable, parameter] of [
    ['PGAPPNAME', 'application_name'],
    ['PGCLIENTENCODING', 'client_encoding'],
    ['PGSSLCOMPRESSION', 'sslcompression'],
    ['PGKRBSRVNAME', 'krbsrvname'],
    ['PGGSSLIB', 'gsslib'],
    ['PGGSSDELEGATION', 'gssdelegation'],
    ['PGLOADBALANCEHOSTS', 'load_balance_hosts'],
    ['PGMAXPROTOCOLVERSION', 'max_protocol_version'],
    ['PGTZ', 'timezone'],
    ['PGDATESTYLE', 'datestyle'],
    ['PGGEQO', 'geqo'],
  ] as const) {
    const { addresses, warnings } = readAddress({ ...env, [variable]: canary })
    assert.deepEqual(addresses, [addressWith()])
    assert.equal(warnings.length, 1)
    assert.ok(warnings[0]?.startsWith(`${parameter} (${variable}) is ignored: `), warnings[0])
  }
  for (const [variable, parameter] of [
    ['PGSERVICE', 'service'],
    ['PGSERVICEFILE', 'servicefile'],
    ['PGCHANNELBINDING', 'channel_binding'],
    ['PGREQUIREAUTH', 'require_auth'],
    ['PGREQUIREPEER', 'requirepeer'],
    ['PGSSLCRLDIR', 'sslcrldir'],
    ['PGSSLCERTMODE', 'sslcertmode'],
    ['PGGSSENCMODE', 'gssencmode'],
    ['PGMINPROTOCOLVERSION', 'min_protocol_version'],
  ] as const) {
    const said = refused({ ...env, [variable]: canary })
    assert.ok(said.startsWith(`${parameter} (${variable}) `), said)
  }
})

test('what the driver would read by itself is not read', () => {
  const env = { PGHOST: 'host', PGUSER: 'user', PGMAX: '0', PGFETCH_TYPES: 'x', PGSSL: 'true' }
  assert.deepEqual(readAddress({ ...env, PGUSERNAME: 'x', PGIDLE_TIMEOUT: '1' }), {
    addresses: [addressWith()],
    problems: [],
    warnings: [],
  })
})

test('an address in a file is one without its last line feed', () => {
  using folder = folderOf({
    unix: 'postgres://user:s3cret@host\n',
    windows: 'postgres://user:s3cret@host\r\n',
    password: `${canary}\n\n`,
  })
  for (const name of ['unix', 'windows']) {
    const env = { DATABASE_URL_FILE: `${folder.path}/${name}` }
    assert.deepEqual(addressOf(env), addressWith({ password: 's3cret' }))
  }
  const url = 'postgres://user:s3cret@host\n' // of a Secret that was made from a file
  assert.deepEqual(addressOf({ DATABASE_URL: url }), addressWith({ password: 's3cret' }))
  const env = { PGHOST: 'host', PGUSER: 'user', PGPASSWORD_FILE: `${folder.path}/password` }
  assert.equal(addressOf(env).password, `${canary}\n`) // one trailing newline goes
})

test('a file that cannot be read is told by its variable, not by its path or content', () => {
  using folder = folderOf({ empty: '\n', nul: `${canary}\0`, wrong: `user:${canary}@host` })
  const env = { PGHOST: 'host', PGUSER: 'user' }
  for (const [file, said] of [
    [`/nowhere/${canary}`, 'the file of PGPASSWORD_FILE cannot be read: there is no such file'],
    [canary, 'the file of PGPASSWORD_FILE cannot be read: there is no such file'],
    [folder.path, 'the file of PGPASSWORD_FILE cannot be read: it is a folder'],
    [`${folder.path}/empty`, 'the file of PGPASSWORD_FILE is empty'],
    [`${folder.path}/nul`, 'password (PGPASSWORD_FILE) holds a NUL byte'],
  ] as const) {
    assert.equal(refused({ ...env, PGPASSWORD_FILE: file }), said)
  }
  assert.match(
    refused({ DATABASE_URL_FILE: `${folder.path}/wrong` }),
    /^DATABASE_URL_FILE does not begin with postgres:/,
  )
  assert.equal(
    refused({ DATABASE_URL_FILE: `/nowhere/${canary}` }).split('\n')[0],
    'the file of DATABASE_URL_FILE cannot be read: there is no such file',
  )
})

test('a variable and its file at once are refused', () => {
  using folder = folderOf({ file: canary })
  const file = `${folder.path}/file`
  const env = { PGHOST: 'host', PGUSER: 'user' }
  assert.equal(
    refused({ ...env, PGPASSWORD: canary, PGPASSWORD_FILE: file }),
    'PGPASSWORD and PGPASSWORD_FILE are both set; one has to go',
  )
  assert.match(
    refused({ ...env, DATABASE_URL: `postgres://user:${canary}@host`, DATABASE_URL_FILE: file }),
    /^DATABASE_URL and DATABASE_URL_FILE are both set/,
  )
})

/** The password for each host of an environment that is not warned of. */
function passwords(url: string, env: Readonly<Record<string, string>>): readonly string[] {
  const { addresses, problems, warnings } = readAddress({ DATABASE_URL: url, ...env })
  assert.deepEqual([...problems, ...warnings], [])
  return addresses.map(({ password }) => password)
}

test('without a password it is looked up in the password file, for each host its own', () => {
  using folder = folderOf({ pass: 'a:1:db:user:first\nb:*:*:*:second\n' })
  chmodSync(`${folder.path}/pass`, 0o600)
  const env = { PGPASSFILE: `${folder.path}/pass` }
  assert.deepEqual(passwords('postgres://user@a:1,b:2,c:3/db', env), ['first', 'second', ''])
  assert.deepEqual(passwords('postgres://user:own@a:1/db', env), ['own'])
  assert.deepEqual(passwords('postgres://user@a:1/db', { ...env, PGPASSWORD: 'own' }), ['own'])
  assert.deepEqual(passwords(`postgres://user@b/db?passfile=${folder.path}/pass`, {}), ['second'])
  renameSync(`${folder.path}/pass`, `${folder.path}/.pgpass`)
  assert.deepEqual(passwords('postgres://user@b/db', { HOME: folder.path }), ['second'])
  assert.deepEqual(passwords('postgres://user@b/db', { HOME: '/nowhere' }), [''])
})

test('a password file that others may read, or that is none, is not used', () => {
  using folder = folderOf({ pass: `*:*:*:*:${canary}` })
  const path = `${folder.path}/pass`
  for (const [mode, file, said] of [
    [0o640, path, /it has group or world access/],
    [0o604, path, /it has group or world access/],
    [0o600, folder.path, /it is not a regular file/],
    [0o600, '/nowhere', /it cannot be read/],
  ] as const) {
    chmodSync(path, mode)
    const { addresses, warnings } = readAddress({
      DATABASE_URL: 'postgres://user@host',
      PGPASSFILE: file,
    })
    assert.deepEqual(addresses, [addressWith()])
    assert.match(warnings.join('\n'), said)
  }
})

test('files of the user’s own folder are taken where nothing is said, as libpq does', () => {
  using folder = folderOf({})
  mkdirSync(`${folder.path}/.postgresql`)
  const home = `${folder.path}/.postgresql`
  for (const name of ['root.crt', 'root.crl', 'postgresql.crt', 'postgresql.key'])
    writeFileSync(`${home}/${name}`, '')
  const { tls } = addressOf({ DATABASE_URL: 'postgres://user@host', HOME: folder.path })
  assert.deepEqual([tls.rootCert, tls.crl], [`${home}/root.crt`, `${home}/root.crl`])
  assert.deepEqual([tls.cert, tls.key], [`${home}/postgresql.crt`, `${home}/postgresql.key`])
  const url = 'postgres://user@host?sslrootcert=/ca.crt'
  assert.equal(addressOf({ DATABASE_URL: url, HOME: folder.path }).tls.rootCert, '/ca.crt')
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
