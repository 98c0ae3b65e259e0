import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Program } from '../../bundle/program.ts'
import { programVersion } from '../../src/version.ts'

const built = join(import.meta.dirname, '..', '..', 'dist')

function copyOfBuilt() {
  const dist = mkdtempSync(join(tmpdir(), 'lockstep-bundle-'))
  cpSync(built, dist, { recursive: true })
  return { dist, [Symbol.dispose]: () => rmSync(dist, { recursive: true, force: true }) }
}

function edit(path: string, change: (bytes: Buffer) => Uint8Array | string): void {
  writeFileSync(path, change(readFileSync(path)))
}

function versionOf(dist: string, ...nodeFlags: string[]): string {
  const args = [...nodeFlags, join(dist, 'lockstep.mjs'), '--version']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

test('the program as it is built is compiled already for the Node that built it, and runs on others', () => {
  // The first on the path is what the build takes; `make test-matrix` runs this on another.
  const builder = spawnSync('node', ['--version'], { encoding: 'utf8' }).stdout.trim()
  assert.equal(new Program(built, 'program').isCompiled, builder === process.version)
  assert.equal(versionOf(built), `${programVersion}\n`)
})

const otherVersion = programVersion.replaceAll(/\d/g, '7')

// A case: what happens to the folder, and the version that is told then.
for (const [what, change, says = programVersion] of [
  ['is missing', (dist: string) => rmSync(join(dist, 'program.cache'))],
  ['is empty', (dist: string) => edit(join(dist, 'program.cache'), () => '')],
  [
    'is cut off',
    (dist: string) => edit(join(dist, 'program.cache'), (all) => all.subarray(0, -99)),
  ],
  [
    'is damaged',
    (dist: string) =>
      edit(join(dist, 'program.cache'), (all) => all.map((byte, at) => (at < 999 ? byte : ~byte))),
  ],
  [
    'is of another program of the same length',
    (dist: string) =>
      edit(join(dist, 'program.cjs'), (all) =>
        all.toString().replace(`"${programVersion}"`, `"${otherVersion}"`),
      ),
    otherVersion,
  ],
] as const) {
  test(`a cache that ${what} is left aside`, () => {
    using copy = copyOfBuilt()
    change(copy.dist)
    assert.ok(!new Program(copy.dist, 'program').isCompiled)
    assert.equal(versionOf(copy.dist), `${says}\n`)
  })
}

test('a cache of other flags, as of another Node, is left aside', () => {
  assert.equal(versionOf(built, '--no-opt'), `${programVersion}\n`)
})

test('a place in the program leads to its source', () => {
  const map = new SourceMap(JSON.parse(readFileSync(join(built, 'program.cjs.map'), 'utf8')))
  const lines = readFileSync(join(built, 'program.cjs'), 'utf8').split('\n')
  const line = lines.findIndex((text) => text.includes('a listed file was not read'))
  const column = lines[line]?.indexOf('"a listed file was not read"') ?? -1
  const entry = map.findEntry(line, column)
  assert.ok('originalSource' in entry)
  assert.match(entry.originalSource, /src\/files\/folder\.ts$/)
  const source = readFileSync(join(built, '..', 'src', 'files', 'folder.ts'), 'utf8').split('\n')
  assert.match(source[entry.originalLine] ?? '', /a listed file was not read/)
})

test('readable lines, the client of Kubernetes, and nothing else, are chunks of their own', () => {
  const files = readdirSync(built).filter((file) => /\.[cm]js$/.test(file))
  assert.deepEqual(files.toSorted(), [
    'client.cjs',
    'gate.cjs',
    'lockstep.mjs',
    'pretty.cjs',
    'program.cjs',
  ])
  const program = readFileSync(join(built, 'program.cjs'), 'utf8')
  for (const word of ['customColors', 'KubeConfig']) assert.ok(!program.includes(word), word)
  const gate = readFileSync(join(built, 'gate.cjs'), 'utf8')
  for (const word of ['SCRAM-SHA-256', 'pg_try_advisory_lock', 'KubeConfig']) {
    assert.ok(!gate.includes(word), word)
    if (word !== 'KubeConfig') assert.ok(program.includes(word), word)
  }
})
