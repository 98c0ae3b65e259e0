import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide, type Plan, type Wishes } from '../../src/decide.ts'
import type { Directives } from '../../src/files/directives.ts'
import type { Folder, Migration } from '../../src/files/folder.ts'
import { needOf, type Need } from '../../src/needs.ts'
import { publishedOf, rowsOf } from '../../src/published.ts'
import { nothingFound } from '../../src/objections.ts'
import type { LedgerRow, Recorded, Step } from '../../src/recorded.ts'
import { worksOf } from '../../src/works.ts'
import { lineOfDecision } from '../support/decision.ts'
import { randomOf, testSeed, type Random } from '../support/random.ts'
import { smallText } from '../support/small-text.ts'
import { lineOfImage, nextImage } from '../support/releases.ts'

// One database, and a random sequence of images that are released on it: later ones, older ones,
// hotfixes, late branches, merges, renumbered, deleted and edited files, squashes, each in a phase.
// `decide` plans each run, and a model of the ledger takes the rows and steps that a run would write.

const properties = {
  chain: 'each row refers to the one before it, and no two have one name',
  once: 'a file never runs again under another number',
  steps: 'a half-done file goes on behind its own statements only',
  held: 'no file runs before its phase once a run has succeeded',
  atOnce: 'an image that has just succeeded has nothing to do',
  forEver:
    'an image that has succeeded has nothing to run ever after, whatever images came between',
  need: 'what an image needs is there from its success on',
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

/** What runs leave behind. */
class Database implements Recorded {
  readonly rows: LedgerRow[] = []
  steps: Step[] = []
  hasSucceeded = false

  /** Writes what a plan writes, up to the file that fails; of one statement by statement a part. */
  apply(plan: Plan, failsAt: number, random: Random): 'done' | 'failed' {
    this.#amend(plan)
    for (const [at, work] of [...worksOf(plan)].entries()) {
      const [file] = work.how === 'baseline' ? [] : plan.pending.filter((f) => f.file === work.file)
      const statements = file?.directives.noTransaction === true ? file.meaning.statements : []
      const done = this.#stepsOf(work.file)
      const isOwn = done.every((step) => statements[step.ordinal - 1] === step.meaning)
      if (!isOwn) throw new Broken('steps', `${work.file} goes on behind statements of another`)
      if (at === failsAt) {
        const until = done.length + random.below(statements.length - done.length)
        for (const [index, meaning] of statements.slice(0, until).entries()) {
          if (index < done.length) continue
          this.steps.push({ file: work.file, ordinal: index + 1, meaning, state: 'done' })
        }
        return 'failed'
      }
      this.steps = this.steps.filter((step) => !done.includes(step))
      for (const [index, { file: name, checksum, meaning, directives }] of work.earns.entries()) {
        this.rows.push({
          id: work.head + index + 1,
          previous: work.head + index,
          name,
          checksum,
          meanings: [meaning.file],
          how: work.how,
          breaksBefore: directives.breaksBefore?.toString() ?? null,
          over: work.over,
          finished: true,
          flushed: true,
        })
      }
    }
    this.hasSucceeded = true
    return 'done'
  }

  #amend({ mustFlush, amendments, takeOvers }: Plan): void {
    const last = this.rows.length - 1
    for (const [index, row] of this.rows.entries()) {
      const amendment = amendments.find(({ id }) => id === row.id)
      const { breaksBefore } = amendment ?? row
      this.rows[index] = {
        ...row,
        breaksBefore,
        flushed: row.flushed || (mustFlush && index === last),
      }
    }
    // All at once: one may take the name that another gives up.
    this.steps = this.steps.map((step) => {
      const found = takeOvers.find(({ from }) => from === step.file)
      return found ? { ...step, file: found.to } : step
    })
  }

  #stepsOf(file: string): Step[] {
    return this.steps.filter((step) => step.file === file)
  }

  /** A release that commits relaxed may have run between. */
  relaxLast(): void {
    const last = this.rows.at(-1)
    if (last) this.rows[this.rows.length - 1] = { ...last, flushed: false }
  }
}

function checkChain(rows: readonly LedgerRow[]): void {
  const isChain = rows.every(({ id, previous }, at) => id === at + 1 && previous === at)
  if (!isChain) throw new Broken('chain', 'the chain is broken')
  const names = new Set(rows.map(({ name }) => name))
  if (names.size < rows.length) throw new Broken('chain', 'two rows have one name')
}

/** Of the files of one meaning those must run that find no row of this meaning to go with. */
function checkOnce({ files, baseline }: Folder, rows: readonly LedgerRow[], plan: Plan): void {
  if (baseline?.covers !== undefined) return
  const byName = new Map(rows.map((row) => [row.name, row]))
  const isOwn = ({ file, meaning }: Migration): boolean =>
    byName.get(file)?.meanings.includes(meaning.file) === true
  const taken = new Set(files.filter(isOwn).map(({ file }) => file))
  const free = files.filter((file) => file.meaning.statements.length > 0 && !isOwn(file))
  for (const one of free) {
    const { meaning } = one
    const isSame = (other: Migration): boolean => other.meaning.file === meaning.file
    const spare = rows.filter(
      ({ name, meanings }) => meanings.includes(meaning.file) && !taken.has(name),
    ).length
    const rest = free.filter(isSame).slice(spare)
    // One whose name was given to another is left alone until its phase.
    const due = rest.filter(({ file }) => !byName.has(file))
    const runs = [...plan.pending, ...plan.later].filter(isSame).length
    if (runs !== due.length) throw new Broken('once', `${smallText(one)} runs ${runs} times`)
  }
}

interface Success {
  readonly image: Folder
  readonly phase: Wishes['phase']
}

function strict(phase: Wishes['phase']): Wishes {
  return { outOfOrder: 'refuse', baseline: 'auto', phase }
}

/** Nothing to do, or no more than to say again what it breaks; refused only as too old. */
function checkForEver({ image, phase }: Success, database: Database): void {
  const decision = decide(image, database, nothingFound, strict(phase))
  const says = lineOfDecision(decision)
  if (decision.kind === 'refused' && decision.failure.code === 'IMAGE_TOO_OLD') return
  if (decision.kind === 'refused' || (decision.kind === 'pending' && decision.pending.length > 0))
    throw new Broken(
      'forEver',
      `${lineOfImage(image)} has succeeded in ${phase} and is now ${says}`,
    )
  checkNeed(image, database)
}

function checkNeed(image: Folder, { rows }: Database): void {
  const { lacking, refusal } = needOf(image, rows)
  const unsure = rows.at(-1)?.flushed === false ? [] : lacking
  checkPublished(image, rows)
  if (unsure.length === 0 && (refusal?.failure.code ?? 'IMAGE_TOO_OLD') === 'IMAGE_TOO_OLD') return
  const what = refusal?.failure.message ?? unsure.map(({ file }) => file).join(' ')
  throw new Broken('need', `${lineOfImage(image)} has succeeded and needs ${what}`)
}

let needs = 0

function seen({ lacking, refusal }: Need): string {
  return [refusal?.failure.code, ...lacking.map(({ file }) => file)].join(' ')
}

/** A gate that reads what was published decides as one that reads the ledger; each tenth is looked at. */
function checkPublished(image: Folder, rows: readonly LedgerRow[]): void {
  needs += 1
  if (needs % 10 > 0) return
  const certain = rows.slice(0, rows.findLastIndex(({ flushed }) => flushed) + 1)
  const own = needOf(image, rows)
  const read = needOf(image, rowsOf(publishedOf(facts, certain), image))
  if (seen(read) !== seen(own))
    throw new Broken('need', `${lineOfImage(image)} is told otherwise by what was published`)
}

/** Of some run. */
const facts = {
  state: 'succeeded',
  database: '',
  run: '',
  program: '',
  started: '',
  set: '',
} as const

function checkAtOnce({ image, phase }: Success, database: Database): void {
  const decision = decide(image, database, nothingFound, strict(phase))
  if (decision.kind === 'up-to-date') return
  const says = lineOfDecision(decision)
  throw new Broken('atOnce', `${lineOfImage(image)} has succeeded and is now ${says}`)
}

function checkHeld({ pending }: Plan, phase: Wishes['phase'], hasSucceeded: boolean): void {
  const runs = (what: keyof Directives): boolean =>
    pending.some(({ directives }) => directives[what] === true)
  if (hasSucceeded && (phase === 'before-rollout' || phase === undefined) && runs('afterRollout'))
    throw new Broken('held', 'a file that waits for after-rollout runs')
}

/** Transaction at which a run fails, -1 for none: often within a file of several. */
function placeOfFailure(plan: Plan, random: Random): number {
  const works = [...worksOf(plan)].map(({ file }) => file)
  const long = plan.pending.find(({ directives }) => directives.noTransaction)
  if (long !== undefined && random.oneIn(3)) return works.indexOf(long.file)
  return random.oneIn(6) ? random.below(3) : -1
}

const phases = ['before-rollout', 'before-rollout', 'after-rollout', 'all', 'none'] as const

/** Plays a sequence; adds to the trace a line for each run. */
function play(random: Random, trace: string[]): void {
  const database = new Database()
  const past: Folder[] = []
  const succeeded: Success[] = []
  let texts = 0
  const newText = (): string => `t${(texts += 1)}`
  for (let left = 3 + random.below(9); left > 0; left -= 1) {
    const { image, how } = nextImage(past, database, random, newText)
    if (image.files.length === 0 && image.baseline?.covers === undefined) continue
    past.push(image)
    const told = random.pick(phases)
    const phase = told === 'none' ? undefined : told
    const wishes: Wishes = {
      outOfOrder: random.oneIn(3) ? 'allow' : 'refuse',
      baseline: random.oneIn(10) ? 'ignore' : 'auto',
      phase,
    }
    const decision = decide(image, database, nothingFound, wishes)
    trace.push(
      `#${past.length - 1} ${how}: ${lineOfImage(image)} ${phase ?? ''} -> ${lineOfDecision(decision)}`,
    )
    if (decision.kind === 'refused') continue
    if (decision.kind === 'pending') {
      checkHeld(decision, phase, database.hasSucceeded)
      if (database.rows.length > 0) checkOnce(image, database.rows, decision)
      const failsAt = placeOfFailure(decision, random)
      const end = database.apply(decision, failsAt, random)
      checkChain(database.rows)
      if (end === 'failed') {
        trace.push(`   failed at transaction ${failsAt}`)
        continue
      }
    }
    // The last word of a run is the ledger, which may say more than the plan did.
    const verdict = decide(image, database, nothingFound, wishes)
    if (verdict.kind === 'refused') {
      trace.push(`   ended -> ${lineOfDecision(verdict)}`)
      continue
    }
    checkAtOnce({ image, phase }, database)
    for (const earlier of succeeded) checkForEver(earlier, database)
    const isWhole = decision.later.every(({ directives }) => directives.afterRollout)
    if (isWhole) {
      checkNeed(image, database)
      succeeded.push({ image, phase })
    }
    if (random.oneIn(12)) database.relaxLast()
  }
}

const sequences = 20_000
const seed = testSeed()

interface Findings {
  readonly broken: Map<Property, string>
  /** How often each kind of decision was met. */
  readonly met: Map<string, number>
}

const kinds =
  /-> (up-to-date, later|up-to-date|baseline|pending,|pending|refused \w+)|goes on as|breaks (none|\d)|, later/g

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
      const all = line.startsWith('   failed') ? ['failed'] : (line.match(kinds) ?? [])
      for (const kind of all) findings.met.set(kind, (findings.met.get(kind) ?? 0) + 1)
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

test('the sequences meet every kind of decision', (context) => {
  context.diagnostic(JSON.stringify(Object.fromEntries(findings.met)))
  for (const kind of [
    '-> up-to-date',
    '-> up-to-date, later',
    '-> pending',
    '-> pending,', // no file: a relaxed commit, a first success, or what a file breaks
    '-> baseline',
    ', later',
    'goes on as',
    'breaks none',
    'failed',
    '-> refused FILE_CHANGED',
    '-> refused FILE_MISSING',
    '-> refused FILE_OUT_OF_ORDER',
    '-> refused FILE_BEHIND_HELD',
    '-> refused FILE_BEFORE_ROLLOUT',
    '-> refused PHASE_UNSET',
    '-> refused IMAGE_TOO_OLD',
    '-> refused BASELINE_GAP',
    '-> refused LEDGER_OF_ANOTHER',
  ]) {
    const times = findings.met.get(kind) ?? 0
    assert.ok(times > 100, `${kind}: ${times} times with seed ${seed}`)
  }
})
