import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, nothingFound, type LedgerRow, type Plan, type Wishes } from '../../src/decide.ts'
import type { Folder, Migration } from '../../src/files/folder.ts'
import { compareNames } from '../../src/files/name.ts'
import { worksOf } from '../../src/works.ts'
import { fileOf, lineOfDecision } from '../support/decision.ts'
import { randomOf, testSeed, type Random } from '../support/random.ts'
import { smallText } from '../support/small-text.ts'

// One database, and a random sequence of images that are released on it: later ones, older ones,
// hotfixes, late branches, merges, renumbered, deleted and edited files, squashes. `decide` plans
// each run, and a model of the ledger takes the rows that `worksOf` and `apply` would write.

interface Release {
  readonly image: Folder
  readonly says: string
}

/** Gives texts that no other file has. */
type NewText = () => string

function imageOf(files: readonly Migration[], upto?: bigint): Folder {
  const sorted = files.toSorted(compareNames)
  const exists = sorted.some(({ version }) => version === upto)
  const baseline =
    upto !== undefined && exists
      ? { text: 'b', checksum: 'b', upto, version: String(upto) }
      : undefined
  return { dir: 'sql', files: sorted, baseline, warnings: [] }
}

function versionsOf(image: Folder): bigint[] {
  return image.files.map(({ version }) => version)
}

/** A version that the image has not, of those up to a little above its highest. */
function freeVersion(image: Folder, random: Random): bigint {
  const taken = new Set(versionsOf(image))
  const highest = Number(image.files.at(-1)?.version ?? 0n)
  for (;;) {
    const version = BigInt(1 + random.below(highest + 3))
    if (!taken.has(version)) return version
  }
}

function nameOf(version: bigint, random: Random): string {
  return `${version}_${random.pick(['a', 'b', 'c'])}`
}

/** Mostly a text of its own, sometimes one that other files have, too, or none. */
function someText(random: Random, newText: NewText): string {
  return random.oneIn(5) ? random.pick(['grant', 'vacuum', '']) : newText()
}

const changes = {
  rerun: (image: Folder) => image,
  append: (image: Folder, random: Random, newText: NewText) => {
    const highest = image.files.at(-1)?.version ?? 0n
    const name = nameOf(highest + BigInt(1 + random.below(3)), random)
    return imageOf([...image.files, fileOf(name, someText(random, newText))], image.baseline?.upto)
  },
  insert: (image: Folder, random: Random, newText: NewText) => {
    const name = nameOf(freeVersion(image, random), random)
    return imageOf([...image.files, fileOf(name, someText(random, newText))], image.baseline?.upto)
  },
  remove: (image: Folder, random: Random) => {
    const gone = random.below(image.files.length)
    return imageOf(
      image.files.filter((_, index) => index !== gone),
      image.baseline?.upto,
    )
  },
  renumber: (image: Folder, random: Random) => {
    const file = image.files[random.below(image.files.length)]
    if (file === undefined) return image
    const name = nameOf(freeVersion(image, random), random)
    const others = image.files.filter((other) => other !== file)
    return imageOf([...others, fileOf(name, smallText(file))], image.baseline?.upto)
  },
  squash: (image: Folder, random: Random) => {
    const upto = image.files[random.below(image.files.length)]?.version ?? 0n
    const kept = image.files.filter(({ version }) => version >= upto || random.oneIn(2))
    return imageOf(kept, upto)
  },
} as const satisfies Record<string, (image: Folder, random: Random, newText: NewText) => Folder>

/** Another text in a file that is not applied under its name. */
function edit(image: Folder, rows: readonly LedgerRow[], random: Random, newText: NewText): Folder {
  const applied = new Set(rows.map(({ name }) => name))
  const open = image.files.filter(({ file }) => !applied.has(file))
  const file = open[random.below(open.length)]
  if (file === undefined) return image
  const others = image.files.filter((other) => other !== file)
  return imageOf([...others, fileOf(file.file, newText())], image.baseline?.upto)
}

/** Two branches together; where they contradict each other the first one stays. */
function merge(image: Folder, other: Folder): Folder {
  const taken = new Set(versionsOf(image))
  const more = other.files.filter(({ version }) => !taken.has(version))
  return imageOf([...image.files, ...more], image.baseline?.upto ?? other.baseline?.upto)
}

const ways = [
  'append',
  'append',
  'insert',
  'renumber',
  'remove',
  'squash',
  'rerun',
  'edit',
  'merge',
] as const

function nextRelease(
  past: readonly Release[],
  rows: readonly LedgerRow[],
  random: Random,
  newText: NewText,
): Release {
  // The newest image, or an older one: a rollback if it stays as it is, else a hotfix.
  const at = random.oneIn(3) ? random.below(past.length) : past.length - 1
  const base = past[at]?.image ?? imageOf([fileOf('5_a', newText())])
  const way = random.pick(ways)
  const other = past[random.below(past.length)]?.image ?? base
  const image =
    way === 'edit'
      ? edit(base, rows, random, newText)
      : way === 'merge'
        ? merge(base, other)
        : changes[way](base, random, newText)
  const files = image.files.map((file) => `${file.file}=${smallText(file)}`).join(' ')
  const baseline = image.baseline ? ` baseline:${image.baseline.upto}` : ''
  return { image, says: `${at < 0 ? 'first' : `${way} #${at}`}: ${files}${baseline}` }
}

/** Writes the rows of a plan as `apply` would, up to the transaction that fails. */
function applyPlan(plan: Plan, rows: LedgerRow[], failsAt: number): 'done' | 'failed' {
  const last = rows.at(-1)
  if (plan.mustFlush && last) rows[rows.length - 1] = { ...last, flushed: true }
  for (const [at, work] of [...worksOf(plan)].entries()) {
    if (at === failsAt) return 'failed'
    for (const [index, { file: name, checksum }] of work.earns.entries()) {
      const id = work.head + index + 1
      const { over } = work
      rows.push({ id, previous: id - 1, name, checksum, over, finished: true, flushed: true })
    }
  }
  return 'done'
}

const properties = {
  chain: 'each row refers to the one before it, and no two have one name',
  once: 'a file never runs again under another number',
  atOnce: 'an image that has just succeeded has nothing to do',
  forEver: 'an image that has succeeded has nothing to do ever after, whatever images came between',
} as const
type Property = keyof typeof properties

/** A property that does not hold, in the shortest sequence that shows it. */
class Broken extends Error {
  readonly property: Property

  constructor(property: Property, message: string) {
    super(message)
    this.property = property
  }
}

function checkChain(rows: readonly LedgerRow[]): void {
  const isChain = rows.every(({ id, previous }, at) => id === at + 1 && previous === at)
  if (!isChain) throw new Broken('chain', 'the chain is broken')
  const names = new Set(rows.map(({ name }) => name))
  if (names.size < rows.length) throw new Broken('chain', 'two rows have one name')
}

/** Of the files of one content those must run that find no row of this content to go with. */
function checkOnce(image: Folder, rows: readonly LedgerRow[], plan: Plan): void {
  const names = new Set(image.files.map(({ file }) => file))
  const same = new Set(rows.map(({ name, checksum }) => `${name} ${checksum}`))
  const free = image.files.filter(
    (f) => f.meaning.statements.length > 0 && !same.has(`${f.file} ${f.checksum}`),
  )
  for (const one of free) {
    const { checksum } = one
    const files = free.filter((file) => file.checksum === checksum).length
    const spare = rows.filter((row) => row.checksum === checksum && !names.has(row.name)).length
    const runs = plan.pending.filter((file) => file.checksum === checksum).length
    if (runs !== Math.max(0, files - spare))
      throw new Broken('once', `${smallText(one)} runs ${runs} times`)
  }
}

const strict: Wishes = { outOfOrder: 'refuse', baseline: 'auto' }

function checkUpToDate(property: Property, image: Folder, rows: readonly LedgerRow[]): void {
  const decision = decide(image, rows, nothingFound, strict)
  if (decision.kind === 'up-to-date') return
  const files = image.files.map((file) => `${file.file}=${smallText(file)}`).join(' ')
  throw new Broken(property, `${files} has succeeded and is now ${lineOfDecision(decision)}`)
}

/** Plays a sequence; adds to the trace a line for each run. */
function play(random: Random, trace: string[]): void {
  const rows: LedgerRow[] = []
  const past: Release[] = []
  const succeeded = new Set<Folder>()
  let texts = 0
  const newText = (): string => `t${(texts += 1)}`
  for (let left = 3 + random.below(7); left > 0; left -= 1) {
    const release = nextRelease(past, rows, random, newText)
    const { image } = release
    if (image.files.length === 0) continue
    past.push(release)
    const wishes: Wishes = {
      outOfOrder: random.oneIn(3) ? 'allow' : 'refuse',
      baseline: random.oneIn(10) ? 'ignore' : 'auto',
    }
    const decision = decide(image, rows, nothingFound, wishes)
    trace.push(`#${past.length - 1} ${release.says} -> ${lineOfDecision(decision)}`)
    if (decision.kind === 'refused') continue
    if (decision.kind === 'pending') {
      if (rows.length > 0) checkOnce(image, rows, decision)
      const failsAt = random.oneIn(6) ? random.below(3) : -1
      const end = applyPlan(decision, rows, failsAt)
      checkChain(rows)
      if (end === 'failed') {
        trace.push(`   failed at transaction ${failsAt}`)
        continue
      }
    }
    checkUpToDate('atOnce', image, rows)
    for (const earlier of succeeded) checkUpToDate('forEver', earlier, rows)
    succeeded.add(image)
    // A release that commits relaxed may have run between.
    const last = rows.at(-1)
    if (last && random.oneIn(12)) rows[rows.length - 1] = { ...last, flushed: false }
  }
}

const sequences = 20_000
const seed = testSeed()

interface Findings {
  readonly broken: Map<Property, string>
  /** How often each kind of decision was met. */
  readonly met: Map<string, number>
}

/** Plays all sequences once; the tests below look at what was found. */
function playAll(): Findings {
  const findings: Findings = { broken: new Map(), met: new Map() }
  for (let sequence = 0; sequence < sequences; sequence += 1) {
    const trace: string[] = []
    try {
      play(randomOf(seed + sequence), trace)
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      const again = `LOCKSTEP_TEST_SEED=${seed + sequence}`
      const found = [`${error.message} (${again})`, ...trace].join('\n')
      const known = findings.broken.get(error.property)
      if (known === undefined || found.length < known.length) {
        findings.broken.set(error.property, found)
      }
    }
    for (const line of trace) {
      const kind =
        /-> (up-to-date|baseline|pending,|pending|refused \w+)/.exec(line)?.[1] ?? 'failed'
      findings.met.set(kind, (findings.met.get(kind) ?? 0) + 1)
    }
  }
  return findings
}

const findings = playAll()

for (const [property, says] of Object.entries(properties)) {
  test(`in ${sequences} sequences of images ${says}`, () => {
    const found = [...findings.broken].find(([name]) => name === property)?.[1]
    if (found !== undefined) assert.fail(found)
  })
}

test('the sequences meet every kind of decision', () => {
  for (const kind of [
    'up-to-date',
    'pending',
    'pending,', // nothing but a relaxed commit to make durable
    'baseline',
    'failed',
    'refused FILE_CHANGED',
    'refused FILE_MISSING',
    'refused FILE_OUT_OF_ORDER',
    'refused LEDGER_OF_ANOTHER',
  ]) {
    const times = findings.met.get(kind) ?? 0
    assert.ok(times > 100, `${kind}: ${times} times with seed ${seed}`)
  }
})
