import { readConfig, type Config, type Env } from './config.ts'
import { Failure } from './failure.ts'
import type { StatusTarget } from './status-target.ts'

/** Where a gate looks. */
export const gateSources = ['database', 'configmap', 'file'] as const
export type GateSource = (typeof gateSources)[number]

export interface GateConfig extends Config {
  /** Where a status is read; undefined for a gate that asks the database. */
  readonly source: StatusTarget | undefined
}

/**
 * The configuration of a gate. An address of a database is needed only where the database is asked;
 * with a ConfigMap it serves to tell databases apart; a gate that reads a file does not look at it.
 *
 * @throws {Failure} CONFIG_INVALID
 */
export function readGateConfig(env: Env, asked: GateSource | undefined): GateConfig {
  const hasAddress = addressNames.some((name) => (env[name] ?? '') !== '')
  const isAsked = asked === 'database' || (asked === undefined && hasAddress)
  if (isAsked) return { ...readConfig(env), source: undefined }
  const config = readConfig(env, hasAddress && asked === 'configmap')
  const { status } = config
  if (status === undefined)
    throw new Failure('CONFIG_INVALID', 'there is nothing to ask what is applied', [
      'DATABASE_URL is not set, and LOCKSTEP_STATUS names no place: set one of them',
    ])
  if (asked !== undefined && status.kind !== asked)
    throw new Failure('CONFIG_INVALID', `--from ${asked} does not go with LOCKSTEP_STATUS`, [
      asked === 'file'
        ? 'set LOCKSTEP_STATUS to file:PATH, the key status.json of the mounted ConfigMap'
        : 'set LOCKSTEP_STATUS to configmap/NAME',
    ])
  return { ...config, source: status }
}

const addressNames = ['DATABASE_URL', 'PGHOST', 'PGHOSTADDR'].flatMap((name) => [
  name,
  `${name}_FILE`,
])
