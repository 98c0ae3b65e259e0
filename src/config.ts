import { cleanEnv } from 'envalid'
import { failureOfAll } from './failure.ts'
import type { TablePattern } from './files/table-name.ts'
import { cutWaits } from './cut-waits.ts'
import type { ClusterAccess } from './kubernetes/status-map.ts'
import { phases, type Phase } from './phases.ts'
import { readAddress, type Address } from './postgres/address.ts'
import type { Pooler } from './postgres/pooler.ts'
import type { RolloutTerms } from './rollout.ts'
import { readRollout } from './rollout-terms.ts'
import type { StatusTarget } from './status-target.ts'
import { duration, oneOf, schemaName, size, statusTarget, tableList, text } from './validators.ts'
import { judgeNames } from './variable-names.ts'

/** All that a run is told from outside, checked. Durations are in milliseconds. */
export interface Config {
  /** One for each host, in the order in which they are tried. */
  readonly addresses: readonly Address[]
  readonly dir: string
  readonly schema: string
  readonly connectWaitMs: number
  readonly runnerWaitMs: number
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly retryWaitMs: number
  /** For the whole run. */
  readonly deadlineMs: number | undefined
  readonly heartbeatMs: number
  readonly outOfOrder: 'refuse' | 'allow'
  readonly baseline: 'auto' | 'ignore'
  readonly phase: Phase | undefined
  /** Undefined: files of the phase after-rollout wait for nobody. */
  readonly rollout: RolloutTerms | undefined
  readonly pooler: Pooler
  readonly maxFileBytes: number
  /** How long `lockstep wait` waits. */
  readonly gateWaitMs: number
  readonly guardTables: readonly TablePattern[]
  /** For counting before and after the run, each. */
  readonly guardCountBudgetMs: number
  /** Where to publish; undefined for nowhere. */
  readonly status: StatusTarget | undefined
  /** What leads to the API server of a cluster. */
  readonly cluster: ClusterAccess
  /** A run that cannot publish has failed. */
  readonly statusRequired: boolean
  readonly warnings: readonly string[]
}

export interface LogConfig {
  readonly format: 'json' | 'pretty'
  readonly level: 'debug' | 'info' | 'warn' | 'error'
}

export type Env = Readonly<Record<string, string | undefined>>

/** The variables that this release knows; the README's table says the same, a test compares. */
export const variables = {
  LOCKSTEP_DIR: text({ desc: 'folder of SQL files' }),
  LOCKSTEP_SCHEMA: schemaName({ desc: 'the schema of the ledger; one schema, one application' }),
  LOCKSTEP_CONNECT_WAIT: duration({ desc: 'how long a database may be unreachable or starting' }),
  LOCKSTEP_RUNNER_WAIT: duration({ desc: 'how long another runner may hold the lock' }),
  LOCKSTEP_LOCK_TIMEOUT: duration({ desc: 'PostgreSQL’s `lock_timeout` for each file' }),
  LOCKSTEP_STATEMENT_TIMEOUT: duration({
    desc: 'PostgreSQL’s `statement_timeout` for each file; 0 is none',
  }),
  LOCKSTEP_RETRY_WAIT: duration({
    desc: 'how long in all a file is retried on lock time-outs and deadlocks',
  }),
  LOCKSTEP_DEADLINE: duration({ desc: 'for the whole run, below the Job’s own; 0 is none' }),
  LOCKSTEP_HEARTBEAT: duration({ desc: 'longest silence while something takes long' }),
  LOCKSTEP_OUT_OF_ORDER: oneOf(
    'refuse',
    'allow',
  )({ desc: 'or `allow`: pending files lower than applied ones' }),
  LOCKSTEP_BASELINE: oneOf(
    'auto',
    'ignore',
  )({ desc: 'or `ignore`: run the files as they are, empty database or not' }),
  LOCKSTEP_PHASE: oneOf(
    'none',
    ...phases,
  )({ desc: '`before-rollout`, `after-rollout`, `all`: which files of a release are due' }),
  LOCKSTEP_ROLLOUT: text({
    desc: 'Deployments for which files of the phase after-rollout wait: `crm,crm-worker`',
  }),
  LOCKSTEP_ROLLOUT_SET: text({ desc: 'what the annotation `lockstep/set` of their pods must be' }),
  LOCKSTEP_ROLLOUT_WAIT: duration({ desc: 'how long that rollout may take' }),
  LOCKSTEP_POOLER: oneOf(
    'refuse',
    'session',
    'allow',
  )({ desc: 'or `session`, `allow`: a connection pooler may stand between' }),
  LOCKSTEP_STATUS: statusTarget({
    desc: 'where runs publish what is applied: `configmap/NAME`, `configmap/NAMESPACE/NAME`, `file:PATH`',
  }),
  LOCKSTEP_STATUS_REQUIRED: oneOf(
    'false',
    'true',
  )({ desc: '`true`: a run that cannot publish has failed (75)' }),
  LOCKSTEP_GATE_WAIT: duration({ desc: 'how long `lockstep wait` waits for the schema' }),
  LOCKSTEP_MAX_FILE_SIZE: size({ desc: 'larger files are refused' }),
  LOCKSTEP_GUARD_TABLES: tableList({
    desc: 'tables whose rows are guarded: `leads,crm.faqs`, `crm.*`, `*`',
  }),
  LOCKSTEP_GUARD_COUNT_BUDGET: duration({
    desc: 'for counting their rows, before and after the run; beyond it estimates are told',
  }),
  LOCKSTEP_LOG_FORMAT: oneOf(
    'auto',
    'json',
    'pretty',
  )({ desc: '`json`, `pretty`; auto: json in a cluster, else readable lines' }),
  LOCKSTEP_LOG_LEVEL: oneOf(
    'debug',
    'info',
    'warn',
    'error',
  )({ desc: '`debug`, `info`, `warn`, `error`' }),
  MIGRATION_MODE: oneOf('1')({
    desc: 'accepted from older set-ups; Lockstep never has anything else',
  }),
}

type VariableName = keyof typeof variables

/** What a variable means, in a few words. */
export function meaningOf(variable: string): string {
  const meanings: Readonly<Record<string, { desc?: string }>> = variables
  return meanings[variable]?.desc ?? ''
}

export const defaults: Readonly<Record<VariableName, string>> = {
  LOCKSTEP_DIR: 'sql',
  LOCKSTEP_SCHEMA: 'lockstep',
  LOCKSTEP_CONNECT_WAIT: '60s',
  LOCKSTEP_RUNNER_WAIT: '15m',
  LOCKSTEP_LOCK_TIMEOUT: '5s',
  LOCKSTEP_STATEMENT_TIMEOUT: '0',
  LOCKSTEP_RETRY_WAIT: '5m',
  LOCKSTEP_DEADLINE: '0',
  LOCKSTEP_HEARTBEAT: '10s',
  LOCKSTEP_OUT_OF_ORDER: 'refuse',
  LOCKSTEP_BASELINE: 'auto',
  LOCKSTEP_PHASE: 'none',
  LOCKSTEP_ROLLOUT: 'none',
  LOCKSTEP_ROLLOUT_SET: 'none',
  LOCKSTEP_ROLLOUT_WAIT: '10m',
  LOCKSTEP_POOLER: 'refuse',
  LOCKSTEP_STATUS: 'none',
  LOCKSTEP_STATUS_REQUIRED: 'false',
  LOCKSTEP_GATE_WAIT: '9m',
  LOCKSTEP_MAX_FILE_SIZE: '1GiB',
  LOCKSTEP_GUARD_TABLES: '',
  LOCKSTEP_GUARD_COUNT_BUDGET: '2s',
  LOCKSTEP_LOG_FORMAT: 'auto',
  LOCKSTEP_LOG_LEVEL: 'info',
  MIGRATION_MODE: '1',
}

/** Every `LOCKSTEP_*` variable is also a flag: `LOCKSTEP_RUNNER_WAIT` is `--runner-wait`. */
export const variableOfFlag: ReadonlyMap<string, string> = new Map(
  Object.keys(variables)
    .filter((name) => name.startsWith('LOCKSTEP_'))
    .map((name) => [name.slice('LOCKSTEP_'.length).toLowerCase().replaceAll('_', '-'), name]),
)

/**
 * Reads the environment. Empty means unset: a chart's value that nobody set arrives as an empty
 * string.
 *
 * @param hasAddress - false for a command without a database: of the address nothing is asked
 * @throws {Failure} CONFIG_INVALID, with every mistake in one report
 */
export function readConfig(environment: Env, hasAddress = true): Config {
  const env = withoutEmpty(environment)
  const problems: string[] = []
  const { addresses, ...read } = hasAddress ? readAddress(env) : noAddress
  problems.push(...read.problems)
  const values = cleanEnv({ ...defaults, ...env }, variables, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors)) problems.push(`${name} ${error.message}`)
    },
  })
  if (env['LOCKSTEP_STATUS_REQUIRED'] === 'true' && (env['LOCKSTEP_STATUS'] ?? 'none') === 'none')
    problems.push('LOCKSTEP_STATUS_REQUIRED is true, and LOCKSTEP_STATUS names no place')
  const { LOCKSTEP_ROLLOUT, LOCKSTEP_ROLLOUT_SET, LOCKSTEP_ROLLOUT_WAIT, LOCKSTEP_PHASE } = values
  const ofRollout = readRollout(
    LOCKSTEP_ROLLOUT,
    LOCKSTEP_ROLLOUT_SET,
    LOCKSTEP_ROLLOUT_WAIT,
    LOCKSTEP_PHASE,
  )
  problems.push(...ofRollout.problems)
  const asked = Object.keys(env).filter((name) => hasAddress || name.startsWith('LOCKSTEP_'))
  const names = judgeNames(asked, Object.keys(variables))
  problems.push(...names.problems)
  if (problems.length > 0) {
    throw failureOfAll('CONFIG_INVALID', problems, [
      ...names.warnings,
      'mend it and run again; lockstep --help lists the variables',
    ])
  }
  return {
    addresses,
    dir: values.LOCKSTEP_DIR,
    schema: values.LOCKSTEP_SCHEMA,
    connectWaitMs: values.LOCKSTEP_CONNECT_WAIT,
    runnerWaitMs: values.LOCKSTEP_RUNNER_WAIT,
    lockTimeoutMs: values.LOCKSTEP_LOCK_TIMEOUT,
    statementTimeoutMs: values.LOCKSTEP_STATEMENT_TIMEOUT,
    retryWaitMs: values.LOCKSTEP_RETRY_WAIT,
    deadlineMs: values.LOCKSTEP_DEADLINE === 0 ? undefined : values.LOCKSTEP_DEADLINE,
    // Below a tenth of a second a heartbeat is noise, and 0 would be a loop.
    heartbeatMs: Math.max(values.LOCKSTEP_HEARTBEAT, 100),
    outOfOrder: values.LOCKSTEP_OUT_OF_ORDER,
    baseline: values.LOCKSTEP_BASELINE,
    phase: values.LOCKSTEP_PHASE === 'none' ? undefined : values.LOCKSTEP_PHASE,
    rollout: ofRollout.rollout,
    pooler: values.LOCKSTEP_POOLER,
    maxFileBytes: values.LOCKSTEP_MAX_FILE_SIZE,
    gateWaitMs: values.LOCKSTEP_GATE_WAIT,
    guardTables: values.LOCKSTEP_GUARD_TABLES,
    guardCountBudgetMs: values.LOCKSTEP_GUARD_COUNT_BUDGET,
    status: values.LOCKSTEP_STATUS === 'none' ? undefined : values.LOCKSTEP_STATUS,
    cluster: {
      kubeconfig: env['KUBECONFIG'],
      isInside: env['KUBERNETES_SERVICE_HOST'] !== undefined,
      home: env['HOME'],
    },
    statusRequired: values.LOCKSTEP_STATUS_REQUIRED === 'true',
    warnings: [...read.warnings, ...names.warnings, ...cutWaits(env, values)],
  }
}

const noAddress = { addresses: [], problems: [], warnings: [] }

/** How to log, as far as the environment can be read: its own mistakes must be told somehow. */
export function readLogConfig(environment: Env): LogConfig {
  const env = withoutEmpty(environment)
  const format = env['LOCKSTEP_LOG_FORMAT']
  const auto = env['KUBERNETES_SERVICE_HOST'] === undefined ? 'pretty' : 'json'
  const levels = ['debug', 'info', 'warn', 'error'] as const
  return {
    format: format === 'json' || format === 'pretty' ? format : auto,
    level: levels.find((level) => level === env['LOCKSTEP_LOG_LEVEL']) ?? 'info',
  }
}

function withoutEmpty(environment: Env): Record<string, string> {
  const entries = Object.entries(environment)
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => (entry[1] ?? '') !== ''),
  )
}
