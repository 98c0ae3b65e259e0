import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { byteProblem, toText } from '../../src/files/bytes.ts'
import { compare, type Verdict } from '../support/oracle.ts'
import { randomOf, testSeed, type Random } from '../support/random.ts'
import { damaged, soup, statements } from '../support/sql-strings.ts'

// The program cuts SQL where PostgreSQL's own lexer and grammar cut it, byte for byte.

/** `make test-oracle` takes many more. */
const strings = Number(process.env['LOCKSTEP_TEST_STRINGS'] ?? 6000)
const root = join(import.meta.dirname, '..', '..')
/** Those that are text; what else is in the scenarios is refused before anybody cuts it. */
const repository = globSync('{sql,test}/**/*.sql', { cwd: root })
  .map((file) => ({ file, bytes: readFileSync(join(root, file)) }))
  .filter(({ bytes }) => byteProblem(bytes) === undefined)
  .map(({ file, bytes }) => ({ file, text: toText(bytes).text }))

/** Makes so many texts and compares each; at least this share must have been parsed or cut. */
function compareAll(many: number, seed: number, make: (random: Random) => string): Counts {
  const counts: Counts = { parsed: 0, tokens: 0, open: 0, refused: 0 }
  const random = randomOf(seed)
  for (let index = 0; index < many; index += 1) {
    const text = make(random)
    const found = compare(text)
    if ('difference' in found) {
      assert.fail(`seed ${seed}, string ${index}: ${JSON.stringify(text)}: ${found.difference}`)
    }
    counts[found.verdict] += 1
  }
  return counts
}
type Counts = Record<Verdict, number>

const fresh = Math.floor(Math.random() * 2 ** 31)
for (const [what, make, share, parsed] of [
  ['statements', statements, 0.4, 0.3],
  ['damaged statements', (random: Random) => damaged(statements(random), random), 0.3, 0],
  ['pieces in a row', soup, 0.3, 0],
] as const) {
  test(`cut as PostgreSQL cuts: ${what}`, (t) => {
    for (const seed of [testSeed(), fresh]) {
      const many = Math.ceil((strings * share) / 2)
      const counts = compareAll(many, seed, make)
      t.diagnostic(`${many} strings of seed ${seed}: ${JSON.stringify(counts)}`)
      // What the oracle refuses was not compared: that must not become all.
      assert.ok(counts.refused < many * 0.6, 'the oracle refused most of them')
      assert.ok(counts.parsed >= many * parsed, 'too few were SQL')
    }
  })
}

test('cut as PostgreSQL cuts: every SQL file here', () => {
  assert.ok(repository.length >= 100)
  for (const { file, text } of repository) {
    for (const ends of ['\n', '\r\n', '\r']) {
      const found = compare(text.replaceAll('\n', ends))
      if ('difference' in found) assert.fail(`${file}: ${found.difference}`)
    }
  }
})

test('cut as PostgreSQL cuts: every SQL file here, damaged', () => {
  const random = randomOf(fresh)
  for (let index = 0; index < strings / 30; index += 1) {
    const { file, text } = random.pick(repository)
    const broken = damaged(text, random)
    const found = compare(broken)
    if ('difference' in found) assert.fail(`${file}, seed ${fresh}: ${found.difference}: ${broken}`)
  }
})
