import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  defaults,
  meaningOf,
  readConfig,
  readLogConfig,
  variableOfFlag,
  variables,
  type Config,
} from '../../src/config.ts'
import { failureOf, told } from '../support/failure.ts'

const url = 'postgres://user:password@host/db'
const canary = 'c4n4ry'

/** What the variables of a case make of the configuration. */
function read(env: Readonly<Record<string, string | undefined>>): Config {
  return readConfig({ DATABASE_URL: url, ...env })
}

/** All that is said of a wrong environment; without a DATABASE_URL of its own it has a good one. */
function refused(env: Readonly<Record<string, string>>): string {
  return told(failureOf('CONFIG_INVALID', () => read(env)))
}

test('nothing but an address is needed', () => {
  const { addresses, ...config } = read({})
  assert.deepEqual(config, {
    dir: 'sql',
    schema: 'lockstep',
    connectWaitMs: 60_000,
    runnerWaitMs: 900_000,
    lockTimeoutMs: 5_000,
    statementTimeoutMs: 0,
    retryWaitMs: 300_000,
    deadlineMs: undefined,
    heartbeatMs: 10_000,
    outOfOrder: 'refuse',
    baseline: 'auto',
    phase: undefined,
    rollout: undefined,
    pooler: 'refuse',
    maxFileBytes: 2 ** 30,
    gateWaitMs: 540_000,
    guardTables: [],
    guardCountBudgetMs: 2_000,
    status: undefined,
    statusRequired: false,
    cluster: { kubeconfig: undefined, isInside: false, home: undefined },
    warnings: [],
  })
  assert.deepEqual(
    addresses.map(({ host }) => host),
    ['host'],
  )
})

test('each variable reaches its own setting', () => {
  const { addresses: _, ...config } = read({
    LOCKSTEP_DIR: 'migrations',
    LOCKSTEP_SCHEMA: 'crm',
    LOCKSTEP_CONNECT_WAIT: '1s',
    LOCKSTEP_RUNNER_WAIT: '2s',
    LOCKSTEP_LOCK_TIMEOUT: '3s',
    LOCKSTEP_STATEMENT_TIMEOUT: '4s',
    LOCKSTEP_RETRY_WAIT: '7s',
    LOCKSTEP_DEADLINE: '8s',
    LOCKSTEP_HEARTBEAT: '5s',
    LOCKSTEP_OUT_OF_ORDER: 'allow',
    LOCKSTEP_BASELINE: 'ignore',
    LOCKSTEP_PHASE: 'after-rollout',
    LOCKSTEP_ROLLOUT: 'crm, crm-worker',
    LOCKSTEP_ROLLOUT_SET: 'new',
    LOCKSTEP_ROLLOUT_WAIT: '6s',
    LOCKSTEP_POOLER: 'session',
    LOCKSTEP_MAX_FILE_SIZE: '6KiB',
    LOCKSTEP_GATE_WAIT: '6s',
    LOCKSTEP_GUARD_TABLES: 'leads, crm.FAQs',
    LOCKSTEP_GUARD_COUNT_BUDGET: '9s',
    LOCKSTEP_STATUS: 'configmap/crm',
    LOCKSTEP_STATUS_REQUIRED: 'true',
    KUBECONFIG: '/k',
    KUBERNETES_SERVICE_HOST: '10.0.0.1',
    HOME: '/h',
    LOCKSTEP_LOG_FORMAT: 'json',
    LOCKSTEP_LOG_LEVEL: 'debug',
    MIGRATION_MODE: '1',
  })
  assert.deepEqual(config, {
    dir: 'migrations',
    schema: 'crm',
    connectWaitMs: 1_000,
    runnerWaitMs: 2_000,
    lockTimeoutMs: 3_000,
    statementTimeoutMs: 4_000,
    retryWaitMs: 7_000,
    deadlineMs: 8_000,
    heartbeatMs: 5_000,
    outOfOrder: 'allow',
    baseline: 'ignore',
    phase: 'after-rollout',
    rollout: { deployments: ['crm', 'crm-worker'], set: 'new', waitMs: 6_000 },
    pooler: 'session',
    maxFileBytes: 6 * 1024,
    gateWaitMs: 6_000,
    guardTables: [
      { schema: undefined, name: 'leads', isAll: false },
      { schema: 'crm', name: 'faqs', isAll: false },
    ],
    guardCountBudgetMs: 9_000,
    status: { kind: 'configmap', namespace: undefined, name: 'crm' },
    statusRequired: true,
    cluster: { kubeconfig: '/k', isInside: true, home: '/h' },
    warnings: [],
  })
})

test('a list of tables that is not one is refused, and not echoed', () => {
  for (const list of [`leads; ${canary}`, `a.b.${canary}`, `"${canary}`, 'leads,*x', '1st']) {
    const failure = failureOf('CONFIG_INVALID', () => read({ LOCKSTEP_GUARD_TABLES: list }))
    assert.match(failure.message, /^LOCKSTEP_GUARD_TABLES is not a list of tables such as leads/)
    assert.ok(!told(failure).includes(canary))
  }
})

test('a wait that was asked for and that the deadline cuts is told, and no other', () => {
  const asked = { LOCKSTEP_DEADLINE: '5m', LOCKSTEP_RUNNER_WAIT: '6m', LOCKSTEP_RETRY_WAIT: '5m' }
  assert.deepEqual(read(asked).warnings, [
    'LOCKSTEP_RUNNER_WAIT is longer than LOCKSTEP_DEADLINE, which cuts it',
  ])
  assert.deepEqual(read({ ...asked, LOCKSTEP_DEADLINE: '0' }).warnings, [])
  const waits = ['CONNECT', 'RUNNER', 'RETRY', 'GATE', 'ROLLOUT'].map(
    (what) => `LOCKSTEP_${what}_WAIT`,
  )
  const all = Object.fromEntries(waits.map((name) => [name, '6m']))
  assert.deepEqual(
    read({ LOCKSTEP_DEADLINE: '5m', ...all }).warnings,
    waits.map((name) => `${name} is longer than LOCKSTEP_DEADLINE, which cuts it`),
  )
})

test('what is said of a rollout goes together', () => {
  const whole = {
    LOCKSTEP_ROLLOUT: 'crm',
    LOCKSTEP_ROLLOUT_SET: 'new',
    LOCKSTEP_PHASE: 'after-rollout',
  }
  read(whole)
  assert.match(refused({ ...whole, LOCKSTEP_PHASE: 'all' }), /LOCKSTEP_PHASE is not after-rollout/)
  assert.match(refused({ ...whole, LOCKSTEP_ROLLOUT_SET: '' }), /LOCKSTEP_ROLLOUT_SET is not/)
  assert.match(refused({ ...whole, LOCKSTEP_ROLLOUT: '' }), /LOCKSTEP_ROLLOUT names no Deployment/)
  assert.match(refused({ ...whole, LOCKSTEP_ROLLOUT: 'crm,,worker' }), /is no list of Deployments/)
})

test('every mistake is in one report, in which no value stands', () => {
  const wrong = {
    DATABASE_URL: `postgres://${canary}@host:${canary}/db?sslmode=${canary}&port=0&connect_timeout=${canary}`,
    LOCKSTEP_SCHEMA: `pg_${canary}`,
    LOCKSTEP_CONNECT_WAIT: `1${canary}`,
    LOCKSTEP_RUNNER_WAIT: canary,
    LOCKSTEP_LOCK_TIMEOUT: `${canary}ms`,
    LOCKSTEP_STATEMENT_TIMEOUT: `-1s${canary}`,
    LOCKSTEP_RETRY_WAIT: `5${canary}`,
    LOCKSTEP_DEADLINE: `${canary}5m`,
    LOCKSTEP_HEARTBEAT: ` ${canary}`,
    LOCKSTEP_OUT_OF_ORDER: canary,
    LOCKSTEP_BASELINE: canary,
    LOCKSTEP_MAX_FILE_SIZE: `1${canary}`,
    LOCKSTEP_LOG_FORMAT: canary,
    LOCKSTEP_LOG_LEVEL: canary,
    MIGRATION_MODE: canary,
    LOCKSTEP_DIRR: canary,
    LOCKSTEP_OF_A_LATER_RELEASE: canary,
  }
  const said = refused(wrong)
  for (const name of Object.keys(wrong)) assert.match(said, new RegExp(`\\b${name}\\b`))
  assert.doesNotMatch(said, new RegExp(canary, 'i'))
})

test('every mistake of an address that can be taken apart is told, beside those of the variables', () => {
  const said = refused({
    DATABASE_URL: `postgres://a,b:0/${canary}?sslmode=${canary}&connect_timeout=${canary}`,
    LOCKSTEP_BASELINE: canary,
  })
  const problems = ['port', 'sslmode', 'connect_timeout', 'no user', 'BASELINE']
  for (const problem of problems) assert.match(said, new RegExp(problem))
  assert.doesNotMatch(said, new RegExp(canary, 'i'))
})

test('a name of a later release is a warning that does not show its value', () => {
  const { warnings } = read({ LOCKSTEP_OF_A_LATER_RELEASE: canary })
  assert.deepEqual(warnings, [
    'LOCKSTEP_OF_A_LATER_RELEASE is not known to this release and is ignored',
  ])
})

test('an address that is missing is a mistake, and so is one under a name that is nearly right', () => {
  const missing = failureOf('CONFIG_INVALID', () => readConfig({}))
  assert.match(missing.message, /DATABASE_URL is not set/)
  const mistyped = failureOf('CONFIG_INVALID', () => readConfig({ DATABASE_URI: canary }))
  assert.match(told(mistyped), /DATABASE_URI is set; is DATABASE_URL meant\?/)
  assert.doesNotMatch(told(mistyped), new RegExp(canary))
  const file = failureOf('CONFIG_INVALID', () => readConfig({ DATABASE_URL_FIEL: canary }))
  assert.match(told(file), /DATABASE_URL_FIEL is set; is DATABASE_URL_FILE meant\?/)
  assert.deepEqual(read({ DATABASE_URI: canary }).warnings, [])
})

test('empty means unset, for every variable and for the address', () => {
  const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, '']))
  assert.deepEqual(read({ ...empty, PGPORT: '', PGSSLMODE: '', LOCKSTEP_DIRR: '' }), read({}))
  failureOf('CONFIG_INVALID', () => readConfig({ DATABASE_URL: '', PGHOST: '' }))
})

for (const [input, ms] of [
  ['0', 0],
  ['00', 0],
  ['0s', 0],
  ['1ms', 1],
  ['500ms', 500],
  ['030s', 30_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['596h', 2_145_600_000],
  ['2147483647ms', undefined], // ten digits are more than anybody means
  ['597h', undefined], // longer than a timer can hold
  ['999999999h', undefined],
  ['9'.repeat(400), undefined],
  ['10abc', undefined],
  ['10', undefined],
  ['0x10', undefined],
  ['0x10s', undefined],
  ['1e3s', undefined],
  ['1e3', undefined],
  ['Infinity', undefined],
  ['NaN', undefined],
  ['-1s', undefined],
  ['+1s', undefined],
  ['-0', undefined],
  ['1.5h', undefined],
  ['1h30m', undefined],
  ['1 s', undefined],
  [' 1s', undefined],
  ['1s\n', undefined],
  ['0\n', undefined],
  ['1S', undefined],
  ['1d', undefined],
  ['s', undefined],
  ['١s', undefined], // an Arabic digit
] as const) {
  test(`the duration ${JSON.stringify(input).slice(0, 20)} is ${ms ?? 'refused'}`, () => {
    const env = { LOCKSTEP_RUNNER_WAIT: input }
    if (ms === undefined) assert.match(refused(env), /^LOCKSTEP_RUNNER_WAIT is not a duration/)
    else assert.equal(read(env).runnerWaitMs, ms)
  })
}

for (const [input, bytes] of [
  ['1B', 1],
  ['512KiB', 2 ** 19],
  ['64MiB', 2 ** 26],
  ['1GiB', 2 ** 30],
  ['1073741824B', 2 ** 30],
  ['1073741825B', undefined],
  ['2GiB', undefined],
  ['9999999999GiB', undefined],
  ['0B', undefined],
  ['0', undefined],
  ['1024', undefined],
  ['10abc', undefined],
  ['0x10B', undefined],
  ['1e3B', undefined],
  ['Infinity', undefined],
  ['-1MiB', undefined],
  ['1.5MiB', undefined],
  ['1MB', undefined],
  ['1mib', undefined],
  ['1 MiB', undefined],
  ['1MiB\n', undefined],
] as const) {
  test(`the size ${JSON.stringify(input)} is ${bytes ?? 'refused'}`, () => {
    const env = { LOCKSTEP_MAX_FILE_SIZE: input }
    if (bytes === undefined) assert.match(refused(env), /^LOCKSTEP_MAX_FILE_SIZE is not a size/)
    else assert.equal(read(env).maxFileBytes, bytes)
  })
}

test('a heartbeat is never so quick that it becomes a loop', () => {
  assert.equal(read({ LOCKSTEP_HEARTBEAT: '0' }).heartbeatMs, 100)
  assert.equal(read({ LOCKSTEP_HEARTBEAT: '99ms' }).heartbeatMs, 100)
  assert.equal(read({ LOCKSTEP_HEARTBEAT: '101ms' }).heartbeatMs, 101)
})

for (const [name, isName] of [
  ['crm', true],
  ['Ledger of “CRM”', true],
  ['PG_upper', true], // reserved is only the lower-case prefix
  ['pgx', true],
  ['a'.repeat(63), true],
  ['a'.repeat(64), false], // PostgreSQL would cut it, and two names could become one
  ['ä'.repeat(31), true],
  ['ä'.repeat(32), false],
  ['pg_catalog', false],
  ['pg_x', false],
] as const) {
  test(`${name.slice(0, 20)} (${Buffer.byteLength(name)} bytes) is ${isName ? 'a' : 'no'} schema`, () => {
    if (isName) assert.equal(read({ LOCKSTEP_SCHEMA: name }).schema, name)
    else assert.match(refused({ LOCKSTEP_SCHEMA: name }), /^LOCKSTEP_SCHEMA is not the name/)
  })
}

test('MIGRATION_MODE is taken as 1 and as nothing else', () => {
  for (const mode of ['0', '2', '01', '1 ', 'one', 'true']) {
    assert.match(refused({ MIGRATION_MODE: mode }), /^MIGRATION_MODE can only be 1/)
  }
})

test('a choice is one of its words, in lower case', () => {
  for (const choice of ['Allow', 'allow ', 'true', 'refuse,allow']) {
    assert.match(
      refused({ LOCKSTEP_OUT_OF_ORDER: choice }),
      /OUT_OF_ORDER is none of refuse, allow/,
    )
  }
})

for (const [name, meant] of [
  ['LOCKSTEP_DIRR', 'LOCKSTEP_DIR'],
  ['LOCKSTEP_DRI', 'LOCKSTEP_DIR'],
  ['LOCKSTEP_RUNER_WAIT', 'LOCKSTEP_RUNNER_WAIT'],
  ['LOCKSTEP_RUNNERWAIT', 'LOCKSTEP_RUNNER_WAIT'],
  ['LOCKSTEP_CONECT_WAITS', 'LOCKSTEP_CONNECT_WAIT'],
  ['LOCKSTEP_SCHEME', 'LOCKSTEP_SCHEMA'],
  ['LOCKSTEP_OUT_OF_ODER', 'LOCKSTEP_OUT_OF_ORDER'],
] as const) {
  test(`${name} is a mistake for ${meant}`, () => {
    assert.match(
      refused({ [name]: canary }),
      new RegExp(`^${name} is not known; is ${meant} meant\\?`),
    )
  })
}

// A case: `LOCKSTEP_STATUS`, and the place that it names.
for (const [text, place] of [
  ['none', undefined],
  ['configmap/crm', { kind: 'configmap', namespace: undefined, name: 'crm' }],
  ['configmap/shop/crm.schema-1', { kind: 'configmap', namespace: 'shop', name: 'crm.schema-1' }],
  ['file:/status/status.json', { kind: 'file', path: '/status/status.json' }],
] as const) {
  test(`LOCKSTEP_STATUS=${text} is understood`, () => {
    assert.deepEqual(read({ LOCKSTEP_STATUS: text }).status, place)
  })
}

for (const text of [
  'crm',
  'configmap/',
  'configmap/CRM',
  'configmap/a/b/c',
  'configmap/a-',
  `configmap/${'a'.repeat(254)}`,
  `configmap/${'a'.repeat(64)}/crm`,
  'file:',
])
  test(`LOCKSTEP_STATUS=${text} is refused`, () => {
    assert.match(refused({ LOCKSTEP_STATUS: text }), /is none of configmap\/NAME, .*file:PATH/)
  })

test('a status that is required must have a place', () => {
  assert.match(refused({ LOCKSTEP_STATUS_REQUIRED: 'true' }), /LOCKSTEP_STATUS names no place/)
})

test('names of later releases only warn, since a chart may be newer than the image', () => {
  const later = ['LOCKSTEP_OF_TOMORROW']
  const env = Object.fromEntries(later.map((name) => [name, canary]))
  assert.deepEqual(
    read(env).warnings,
    later.map((name) => `${name} is not known to this release and is ignored`),
  )
})

test('what Kubernetes sets for a Service called lockstep-... says nothing', () => {
  const names = [
    'LOCKSTEP_SERVICE_HOST',
    'LOCKSTEP_SERVICE_PORT',
    'LOCKSTEP_SERVICE_PORT_HTTP',
    'LOCKSTEP_PORT',
    'LOCKSTEP_PORT_5432_TCP',
    'LOCKSTEP_PORT_5432_TCP_ADDR',
    'LOCKSTEP_PORT_53_UDP_PROTO',
    'LOCKSTEP_PORT_9_SCTP_ADDR',
    'LOCKSTEP_DB_SERVICE_HOST',
    'LOCKSTEP_DB_SERVICE_PORT_HTTP',
    'LOCKSTEP_DB_PORT',
    'LOCKSTEP_DB_PORT_5432_TCP_PORT',
    'LOCKSTEP_DIR_SERVICE_HOST',
  ]
  assert.deepEqual(read(Object.fromEntries(names.map((name) => [name, 'x']))).warnings, [])
})

test('what only looks like a name of Kubernetes is not let pass', () => {
  const names = ['LOCKSTEP_PORTS', 'LOCKSTEP_MY_HOST', 'LOCKSTEP_PORT_X_TCP', 'LOCKSTEP_SERVICE']
  const { warnings } = read(Object.fromEntries(names.map((name) => [name, 'x'])))
  assert.equal(warnings.length, names.length)
})

test('names that are not ours are no matter', () => {
  assert.deepEqual(read({ PATH: '/bin', XLOCKSTEP_DIR: 'x', HOSTNAME: 'pod' }).warnings, [])
})

test('what the address is warned of is among the warnings', () => {
  const { warnings } = read({ DATABASE_URL: `${url}?pool=${canary}` })
  assert.deepEqual(warnings, ['the parameter "pool" of DATABASE_URL is ignored'])
})

test('every LOCKSTEP variable is a flag, and the address is none', () => {
  const names = Object.keys(variables).filter((name) => name !== 'MIGRATION_MODE')
  assert.deepEqual([...variableOfFlag.values()], names)
  assert.equal(variableOfFlag.get('runner-wait'), 'LOCKSTEP_RUNNER_WAIT')
  assert.equal(variableOfFlag.get('dir'), 'LOCKSTEP_DIR')
  for (const flag of variableOfFlag.keys()) assert.match(flag, /^[a-z]+(-[a-z]+)*$/)
})

test('every variable has a default, which is valid, and a meaning', () => {
  assert.deepEqual(Object.keys(defaults), Object.keys(variables))
  assert.deepEqual(read(defaults), read({}))
  for (const name of Object.keys(variables)) assert.notEqual(meaningOf(name), '', name)
})

for (const [env, format, level] of [
  [{}, 'pretty', 'info'],
  [{ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, 'json', 'info'],
  [{ KUBERNETES_SERVICE_HOST: '' }, 'pretty', 'info'],
  [{ KUBERNETES_SERVICE_HOST: '10.0.0.1', LOCKSTEP_LOG_FORMAT: 'pretty' }, 'pretty', 'info'],
  [{ KUBERNETES_SERVICE_HOST: '10.0.0.1', LOCKSTEP_LOG_FORMAT: 'auto' }, 'json', 'info'],
  [{ LOCKSTEP_LOG_FORMAT: 'json', LOCKSTEP_LOG_LEVEL: 'error' }, 'json', 'error'],
  [{ LOCKSTEP_LOG_FORMAT: '', LOCKSTEP_LOG_LEVEL: '' }, 'pretty', 'info'],
  [{ LOCKSTEP_LOG_FORMAT: canary, LOCKSTEP_LOG_LEVEL: canary }, 'pretty', 'info'],
  [{ LOCKSTEP_LOG_LEVEL: 'fatal' }, 'pretty', 'info'],
] as const) {
  test(`with ${JSON.stringify(env)} the log is ${format}, from ${level} on`, () => {
    assert.deepEqual(readLogConfig(env), { format, level })
  })
}
