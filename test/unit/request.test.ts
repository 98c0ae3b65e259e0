import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failure } from '../../src/failure.ts'
import { readRequest } from '../../src/request.ts'
import { told } from '../support/failure.ts'

const env = { LOCKSTEP_DIR: 'a' }
const migrate = { command: 'migrate', env }
const plan = { command: 'plan', env, exitCode: false, format: 'text', rehearses: false }

for (const [line, request] of [
  ['', migrate],
  ['migrate', migrate],
  ['--dir b', { command: 'migrate', env: { LOCKSTEP_DIR: 'b' } }],
  ['--dir plan', { command: 'migrate', env: { LOCKSTEP_DIR: 'plan' } }],
  [
    '--dir=plan status',
    { command: 'status', env: { LOCKSTEP_DIR: 'plan' }, json: false, exitCode: false },
  ],
  ['--json status', { command: 'status', env, json: true, exitCode: false }],
  ['plan --exit-code', { ...plan, exitCode: true }],
  ['plan --json', { ...plan, format: 'json' }],
  ['plan --json --format json --rehearse', { ...plan, format: 'json', rehearses: true }],
  ['--rehearse plan --format=markdown', { ...plan, format: 'markdown', rehearses: true }],
  [
    'migrate --baseline ignore',
    { command: 'migrate', env: { ...env, LOCKSTEP_BASELINE: 'ignore' } },
  ],
  ['wait', { command: 'wait', env, from: undefined, version: undefined }],
  ['wait --from file', { command: 'wait', env, from: 'file', version: undefined }],
  [
    'wait --from=configmap --version 0042',
    { command: 'wait', env, from: 'configmap', version: '0042' },
  ],
  ['adopt --baseline', { command: 'adopt', env, adopts: { what: 'baseline' }, isSure: false }],
  [
    '--yes adopt --upto 0042',
    { command: 'adopt', env, adopts: { what: 'upto', version: 42n }, isSure: true },
  ],
  [
    'adopt --upto 0042_a.sql',
    { command: 'adopt', env, adopts: { what: 'upto', version: 42n }, isSure: false },
  ],
  [
    'adopt --file 1_a.sql',
    { command: 'adopt', env, adopts: { what: 'file', name: '1_a.sql' }, isSure: false },
  ],
  [
    'adopt --forget 1_a.sql',
    { command: 'adopt', env, adopts: { what: 'forget', name: '1_a.sql' }, isSure: false },
  ],
] as const) {
  test(`“${line}” is understood`, () => {
    assert.deepEqual(readRequest(line === '' ? [] : line.split(' '), env), request)
  })
}

const secret = 'c4n4ry'

for (const [line, said] of [
  ['adpot', /there is one command, of migrate, status, plan, check, wait, adopt; is adopt meant\?/],
  ['plan status', /there is one command/],
  ['plan --format github', /--format is none of text, json, markdown/],
  ['plan --json --format text', /--json and --format say two things/],
  ['--rehearse', /--rehearse belongs to plan/],
  [`adopt ${secret}`, /there is one command/],
  ['check --print', /--print goes with --baseline, and without --format/],
  ['check --baseline --print --format json', /--print goes with --baseline, and without --format/],
  [`check --format ${secret}`, /--format is none of text, json, github/],
  [`wait --from ${secret}`, /--from is none of database, configmap, file/],
  [`wait --version ${secret}`, /--version is not the version of a file/],
  ['wait --version', /--version needs a value/],
  ['migrate --from file', /--from belongs to wait/],
  ['adopt', /adopt wants one of --baseline, --upto VERSION, --file NAME, --forget NAME/],
  ['adopt --baseline --upto 3', /adopt wants one of/],
  [`adopt --upto ${secret}`, /--upto is not the version of a file/],
  ['adopt --upto', /--upto needs a value/],
  ['migrate --baseline', /--baseline needs a value/],
  ['migrate --yes', /--yes belongs to adopt/],
  ['--json', /--json belongs to status and plan/],
  [`status --json=${secret}`, /--json takes no value/],
  ['status --jsn', /--jsn is not a flag; is --json meant\?/],
] as const) {
  test(`“${line.replace(secret, '...')}” is refused, and no value is told`, () => {
    const request = readRequest(line.split(' '), env)
    assert.ok(request instanceof Failure)
    assert.match(told(request), said)
    assert.ok(!told(request).includes(secret))
  })
}
