import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readGateConfig, type GateSource } from '../../src/gate-config.ts'
import { failureOf, told } from '../support/failure.ts'

const url = { DATABASE_URL: 'postgres://user@host/db' }
const map = { LOCKSTEP_STATUS: 'configmap/crm' }
const file = { LOCKSTEP_STATUS: 'file:/status/status.json' }

type Env = Readonly<Record<string, string>>

// A case: the environment, `--from`, where the gate looks, and how many addresses it has.
for (const [env, from, place, addresses] of [
  [url, undefined, undefined, 1],
  [{ ...url, ...map }, undefined, undefined, 1],
  [{ ...url, ...map }, 'database', undefined, 1],
  [{ PGHOST: 'host', PGUSER: 'user' }, undefined, undefined, 1],
  [map, undefined, 'configmap', 0],
  [file, undefined, 'file', 0],
  [map, 'configmap', 'configmap', 0],
  // To compare whose status it is.
  [{ ...url, ...map }, 'configmap', 'configmap', 1],
  // Not even an address that is wrong: the database is not asked.
  [{ DATABASE_URL: 'nonsense', PGPORT: 'x', ...file }, 'file', 'file', 0],
  [{ PGSSLMODE: 'nonsense', ...map }, undefined, 'configmap', 0],
  // As a chart sets what nobody has given.
  [{ DATABASE_URL: '', ...map }, undefined, 'configmap', 0],
] as const satisfies readonly (readonly [Env, GateSource | undefined, unknown, number])[]) {
  test(`${JSON.stringify(env)} --from ${from} leads to ${place ?? 'the database'}`, () => {
    const config = readGateConfig(env, from)
    assert.equal(config.source?.kind, place)
    assert.equal(config.addresses.length, addresses)
  })
}

// A case: what does not go together, and what is said of it.
for (const [env, from, says] of [
  [{}, undefined, /nothing to ask[^]*DATABASE_URL is not set, and LOCKSTEP_STATUS names no place/],
  [{}, 'database', /DATABASE_URL is not set/],
  [{ DATABASE_URL_FILE: '/nowhere/url', ...map }, undefined, /DATABASE_URL_FILE/],
  [map, 'file', /--from file does not go with LOCKSTEP_STATUS[^]*file:PATH/],
  [file, 'configmap', /--from configmap does not go with LOCKSTEP_STATUS[^]*configmap\/NAME/],
  [{ DATABASE_URL: 'nonsense', ...map }, 'configmap', /DATABASE_URL/],
  [{ ...file, LOCKSTEP_GATE_WAIT: 'long' }, 'file', /LOCKSTEP_GATE_WAIT is not a duration/],
] as const satisfies readonly (readonly [Env, GateSource | undefined, RegExp])[]) {
  test(`${JSON.stringify(env)} --from ${from} is refused`, () => {
    assert.match(told(failureOf('CONFIG_INVALID', () => readGateConfig(env, from))), says)
  })
}
