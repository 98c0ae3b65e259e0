import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { kept } from '../chart/rendered.ts'
import { findHelms, type Helm } from '../support/helm.ts'
import { noCluster } from '../support/kubectl.ts'
import { images } from '../support/manifests.ts'
import {
  alone,
  example,
  helmIn,
  inTwo,
  jobPods,
  ofExample,
  statusOf,
  wholeLog,
  type HelmHere,
} from '../support/release.ts'
import { freshSpace, type Space } from '../support/space.ts'

/** A shell where `helm` is the one under test, in the folder of the charts, as a person has it. */
function shellOf(by: Helm, { charts }: HelmHere): Disposable & Shell {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-shell-'))
  mkdirSync(join(home, 'bin'))
  symlinkSync(by.path, join(home, 'bin', 'helm'))
  const path = `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`
  const options = { cwd: dirname(charts.lockstep), env: { ...process.env, PATH: path, HOME: home } }
  return {
    cwd: options.cwd,
    type: async (line) => {
      // The sum of a pipe is that of its last part, as it is for a person; what it says is not.
      const all = ['-c', `set -o pipefail; ${line}`]
      return (await promisify(execFile)('bash', all, { ...options, timeout: 60_000 })).stdout
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}

interface Shell {
  readonly cwd: string
  /** What a line prints; rejects where it fails. */
  type(line: string): Promise<string>
}

const linesIn = (text: string, indent: number): string[] =>
  [...text.matchAll(/^( +)((?:helm|kubectl|until) .*)$/gm)]
    .filter(([, spaces = '']) => spaces.length === indent)
    .map(([, , line = '']) => line)

const page = kept('docs/kubernetes.md')
const [, failures = ''] = page.split('## What to type after a failure')
const section = linesIn(failures.split('\n## ')[0] ?? '', 4)

/** A line of the page, for the namespace of this test. */
function lineOf(start: RegExp, { name }: Space): string {
  const line = section.find((one) => start.test(one))
  assert.ok(line !== undefined, `docs/kubernetes.md has no line ${String(start)}`)
  return line.replace('-n shop', `-n ${name}`)
}

/** `values.yaml` and the chart `crm`, which those lines name. */
async function writeValues(shell: Shell): Promise<void> {
  const { cwd } = shell
  const { repository, tag } = inTwo(images.example)
  const own = { image: { repository, tag }, database: { existingSecret: 'database' } }
  writeFileSync(join(cwd, 'values.yaml'), JSON.stringify(own))
  const parent = { lockstep: own, global: { tag }, image: { repository } }
  writeFileSync(join(cwd, 'examples', 'crm', 'values.yaml'), JSON.stringify(parent))
  await shell.type('cp -r examples/crm crm')
}

for (const by of findHelms()) {
  describe(`typed, Helm ${by.version}`, { skip: noCluster, concurrency: 2 }, () => {
    for (const mode of ['hook', 'job']) {
      test(`the three commands of NOTES in mode ${mode}, and its line for running again`, async () => {
        await using space = await freshSpace()
        using helm = await helmIn(space, by)
        using shell = shellOf(by, helm)
        const values = ofExample(`lockstep.mode=${mode}`)
        const flags = ['--wait', '--wait-for-jobs']
        const { stdout } = await helm.must('install', 'crm', helm.charts.crm, ...flags, ...values)
        const [log = '', status = '', pods = '', ...others] = linesIn(stdout, 2)
        assert.deepEqual(others, [])
        assert.match(await shell.type(log), new RegExp(`done ${example.files} files`))
        assert.equal(await shell.type(status), `succeeded ${example.version}\n`)
        assert.match(await shell.type(pods), /^crm-\w+-\w+ +1\/1 +Running/m)
        if (mode === 'hook') {
          assert.match(stdout, /--timeout 300s or more/)
          return
        }
        const [, again = ''] = /run it again as it is: --set (\S+)/.exec(stdout) ?? []
        const rerun = ofExample(`lockstep.mode=${mode}`, again)
        await helm.must('upgrade', 'crm', helm.charts.crm, ...flags, ...rerun)
        assert.match(await wholeLog(space), /done nothing to do/)
      })
    }

    test('NOTES without a status names the Jobs, and in mode gate the log of a gate', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      using shell = shellOf(by, helm)
      const chart = helm.charts.lockstep
      const without = ['status.enabled=false', 'gate.enabled=false']
      const said = await helm.must('install', 'crm', chart, ...alone(images.example, ...without))
      const [, jobs = ''] = linesIn(said.stdout, 2)
      assert.match(await shell.type(jobs), /crm-lockstep-migrate +Complete +1\/1/)
      const gate = await helm.must('install', 'gate', chart, ...alone(images.example, 'mode=gate'))
      assert.deepEqual(linesIn(gate.stdout, 2), [
        `kubectl logs -n ${space.name} POD -c lockstep-gate`,
      ])
    })

    test('a command as a Job: the lines of docs/kubernetes.md, with the chart alone and as a dependency', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      using shell = shellOf(by, helm)
      await writeValues(shell)
      // The account of the Job.
      await helm.must('install', 'crm', helm.charts.lockstep, '-f', join(shell.cwd, 'values.yaml'))
      for (const line of [/^helm template crm lockstep /, /^helm template crm crm /]) {
        await shell.type(lineOf(line, space))
        assert.match(await shell.type(lineOf(/^until kubectl logs /, space)), /nothing is pending/)
        await shell.type(lineOf(/^kubectl delete job /, space))
      }
    })

    test('adopted and migrated in one command, after a refusal', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      using shell = shellOf(by, helm)
      await writeValues(shell)
      const values = ['-f', join(shell.cwd, 'values.yaml')]
      await space.db.sql('create table users (id int)')
      const failed = await helm.run('install', 'crm', helm.charts.lockstep, ...values)
      assert.match(failed.stderr, /DATABASE_NOT_EMPTY/)
      const line = lineOf(/^helm upgrade crm lockstep /, space)
      await shell.type(line.replace('0042', example.version))
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
      const once = await space.pods('app.kubernetes.io/component=once')
      assert.deepEqual([once.length, (await space.pods(jobPods)).length], [1, 1])
    })

    test('adopted in mode job, and the Job that was refused run again', async () => {
      await using space = await freshSpace()
      using helm = await helmIn(space, by)
      using shell = shellOf(by, helm)
      await writeValues(shell)
      const values = ['-f', join(shell.cwd, 'values.yaml'), '--set', 'mode=job']
      await space.db.sql('create table users (id int)')
      const wait = ['--wait', '--wait-for-jobs']
      const { lockstep } = helm.charts
      const begunMs = performance.now()
      const soon = [...wait, '--timeout', '30s']
      const failed = await helm.run('install', 'crm', lockstep, ...soon, ...values)
      assert.equal(failed.exit, 1)
      // Helm 3 counts failed pods, and a Job that fails by its policy has too few of them.
      assert.equal(performance.now() - begunMs > 30_000, by.version.startsWith('v3'))
      assert.match(await wholeLog(space), /DATABASE_NOT_EMPTY/)
      const adopt = `{adopt,--upto,${example.version},--yes}`
      const line = lineOf(/^helm template crm lockstep /, space).replace('{status}', adopt)
      const made = await shell.type(line.replace(' -s ', ' --set mode=job -s '))
      const [, job = ''] = /^(job\.batch\/\S+) created$/m.exec(made) ?? []
      await space.wait(job, 'condition=Complete')
      await helm.must('upgrade', 'crm', lockstep, ...wait, ...values, '--set', 'job.rerun=again')
      assert.equal(await statusOf(space), `succeeded ${example.version}`)
    })
  })
}
