import type { Config } from './config.ts'
import type { Tell } from './events.ts'
import { asFailure, Failure } from './failure.ts'
import { certainOf } from './needs.ts'
import { pause } from './pause.ts'
import { seconds } from './phrases.ts'
import { databaseId } from './postgres/database-id.ts'
import type { Work } from './postgres/envelope.ts'
import type { Run } from './postgres/runs.ts'
import type { Session } from './postgres/session.ts'
import { printable } from './printable.ts'
import {
  publishedOf,
  readPublished,
  saysTheSame,
  type AppliedRow,
  type Published,
  type PublishedState,
} from './published.ts'
import type { LedgerRow } from './recorded.ts'
import { openStatus } from './status-places.ts'
import { StatusTrouble, type StatusStore } from './status-store.ts'
import type { StatusTarget } from './status-target.ts'
import { programVersion } from './version.ts'

/** The server of the status may be dead: nobody waits longer for it, least of all under the lock. */
const patienceMs = 10_000
/** Of a run that was told to stop. */
const patienceOfStoppedMs = 2_000
const oneTryMs = 4_000
/** Between writes while files are applied. */
const restMs = 2_000
/** Between looks while another run holds the lock. */
const lookAgainMs = 500
const firstPauseMs = 100

/** What a run tells while it goes on. */
type News = Pick<Published, 'state' | 'finished' | 'error' | 'exit' | 'reason'>

/**
 * The status of a run, for those who have no connection to the database. It is written under the lock
 * only, so that there is one writer; what goes wrong is a warning, once, and fails no run.
 */
export class Publishing {
  readonly #config: Config
  readonly #store: StatusStore
  readonly #tell: Tell
  readonly #stop: AbortSignal
  readonly #facts: Pick<Published, 'run' | 'set' | 'phase' | 'program' | 'started'>
  /** Whose id is known: it is asked for once on each. */
  #session: Session | undefined
  #database = ''
  #rows: AppliedRow[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #writtenMs = Number.NEGATIVE_INFINITY
  #readMs = Number.NEGATIVE_INFINITY
  #trouble: StatusTrouble | undefined
  #isWarned = false

  constructor(
    target: StatusTarget,
    config: Config,
    run: Run,
    set: string,
    tell: Tell,
    stop: AbortSignal,
  ) {
    this.#config = config
    this.#store = openStatus(target, config)
    this.#tell = tell
    this.#stop = stop
    const started = new Date().toISOString()
    this.#facts = { run: run.id, set, phase: config.phase, program: programVersion, started }
  }

  /**
   * Whether the document already says that all of this is applied: then a run with nothing to do need
   * not take the lock. Where it cannot be read it cannot be written either, and that is told.
   */
  async isShown(on: Session, rows: readonly LedgerRow[]): Promise<boolean> {
    await this.knows(on, rows)
    this.#readMs = performance.now()
    let text: string | undefined
    try {
      text = await this.#insist((stop) => this.#store.read(stop), patienceMs)
    } catch (error) {
      this.#warn(troubleOf(error))
      return true
    }
    this.#trouble = undefined
    const found = text === undefined ? 'there is none' : readPublished(text)
    if (typeof found === 'string') return false
    this.#warnOfAnother(found)
    return saysTheSame(found, this.#document(this.#rows, succeeded))
  }

  /** The same for a run that waits for the lock: the holder publishes, too. Not at every poll. */
  async isShownMeanwhile(on: Session, rows: readonly LedgerRow[]): Promise<boolean> {
    if (performance.now() - this.#readMs < lookAgainMs) return false
    return await this.isShown(on, rows)
  }

  /** What the ledger says, as it was last read. */
  async knows(on: Session, rows: readonly LedgerRow[]): Promise<void> {
    this.#rows = [...certainOf(rows)]
    if (this.#session === on) return
    this.#database = await databaseId(on)
    this.#session = on
  }

  /** The run has begun to apply files. The client is loaded from here on: the server has work. */
  begins(): void {
    if (this.#writtenMs === Number.NEGATIVE_INFINITY) this.#soon(0)
  }

  /** One more is applied for good. */
  applied({ earns, how }: Pick<Work, 'earns' | 'how'>): void {
    for (const { file, checksum, meaning, directives } of earns) {
      const breaksBefore = directives.breaksBefore?.toString() ?? null
      this.#rows.push({ name: file, checksum, meanings: [meaning.file], breaksBefore, how })
    }
    this.#soon(this.#writtenMs + restMs - performance.now())
  }

  /** Nothing is written until more files are applied. */
  rests(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /**
   * The good end of a run, under the lock.
   *
   * @returns STATUS_NOT_PUBLISHED, where the run was told to fail then
   */
  async ends(on: Session, rows: readonly LedgerRow[]): Promise<Failure | undefined> {
    await this.knows(on, rows)
    await this.#last(succeeded, patienceMs)
    return this.failure
  }

  /** The bad end of a run, under the lock. Of one that was stopped the lock may be gone with its session. */
  async fails({ code, exit, message }: Failure): Promise<void> {
    if (this.#database === '') return
    const isStopped = this.#stop.aborted
    if (isStopped && !(await this.#isOurs())) return
    const state: PublishedState = isStopped ? 'interrupted' : 'failed'
    const reason = withoutNames(printable(message), this.#config).slice(0, 1_000).toWellFormed()
    const news = { state, error: code, exit, reason }
    await this.#last(news, isStopped ? patienceOfStoppedMs : patienceMs)
  }

  /** There was no turn to write it. */
  misses({ message }: Failure): void {
    this.#warn(new StatusTrouble(message))
  }

  /** What becomes of a run that succeeded and could not say so. */
  get failure(): Failure | undefined {
    if (this.#trouble === undefined || !this.#config.statusRequired) return undefined
    const { message, more } = this.#trouble
    return new Failure('STATUS_NOT_PUBLISHED', `the status is not published: ${message}`, [
      'the files are applied; the next run publishes',
      ...more,
    ])
  }

  #soon(afterMs: number): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#writtenMs = performance.now()
      const document = this.#document(this.#rows, { state: 'running' })
      const within = AbortSignal.any([this.#stop, this.#within(oneTryMs)])
      this.#writing = this.#write(document, within)
        .catch((error: unknown) => this.#warn(troubleOf(error)))
        .finally(() => (this.#writing = undefined))
    }, afterMs).unref()
  }

  async #last(news: News, forMs: number): Promise<void> {
    this.rests()
    // One after another: a late answer of the one before must not undo this one.
    await this.#writing
    const document = this.#document(this.#rows, { ...news, finished: new Date().toISOString() })
    try {
      await this.#insist((stop) => this.#write(document, stop), forMs)
      this.#trouble = undefined
      const { state, version } = document
      this.#tell({ checkpoint: 'published', target: this.#store.name, state, version })
    } catch (error) {
      this.#warn(troubleOf(error))
    }
  }

  /** What a run has not looked at before is looked at before it is overwritten: whose is it? */
  async #write(document: Published, stop: AbortSignal): Promise<void> {
    if (this.#readMs === Number.NEGATIVE_INFINITY) {
      this.#readMs = performance.now()
      // Where it cannot be read, writing will say why.
      const text = await this.#store.read(stop).catch(() => undefined)
      const found = text === undefined ? undefined : readPublished(text)
      if (typeof found === 'object') this.#warnOfAnother(found)
    }
    await this.#store.write(document, stop)
  }

  /** Nobody else has written since this run did. */
  async #isOurs(): Promise<boolean> {
    const text = await this.#store.read(this.#within(oneTryMs / 4)).catch(() => undefined)
    const found = text === undefined ? undefined : readPublished(text)
    return typeof found === 'object' && found.run === this.#facts.run
  }

  /** Tries again until it works, cannot work, or the time is over. */
  async #insist<T>(attempt: (stop: AbortSignal) => Promise<T>, forMs: number): Promise<T> {
    const untilMs = performance.now() + forMs
    for (let pauseMs = firstPauseMs; ; pauseMs *= 2) {
      const leftMs = untilMs - performance.now()
      try {
        return await attempt(this.#within(Math.min(oneTryMs, leftMs)))
      } catch (error) {
        const trouble = troubleOf(error)
        const nextMs = trouble.pauseMs ?? pauseMs * (0.5 + Math.random() / 2)
        if (trouble.isLasting || performance.now() + nextMs >= untilMs) throw trouble
        await pause(nextMs, this.#within(forMs))
      }
    }
  }

  /** Not cut by a stop of the run: that is what is to be told. */
  #within(ms: number): AbortSignal {
    return AbortSignal.timeout(Math.max(1, Math.ceil(ms)))
  }

  #document(rows: readonly AppliedRow[], news: News): Published {
    return publishedOf({ ...this.#facts, database: this.#database, ...news }, rows)
  }

  #warnOfAnother({ database }: Published): void {
    if (this.#isWarned || database === this.#database) return
    this.#isWarned = true
    const text = `${this.#store.name} tells of another database, ${database}; this one is ${this.#database}`
    this.#tell({ checkpoint: 'warning', text })
  }

  #warn(trouble: StatusTrouble): void {
    const isKnown = trouble.message === this.#trouble?.message
    this.#trouble = trouble
    if (isKnown) return
    const text = [`the status is not published: ${trouble.message}`, ...trouble.more].join('; ')
    this.#tell({ checkpoint: 'warning', text })
  }
}

const succeeded: News = { state: 'succeeded' }

function troubleOf(error: unknown): StatusTrouble {
  if (error instanceof StatusTrouble) return error
  if (error instanceof Error && error.name === 'TimeoutError')
    return new StatusTrouble(`no answer within ${seconds(oneTryMs)}`)
  // A defect there must not become one of the run.
  return new StatusTrouble(asFailure(error).message, { isLasting: true })
}

/** A reason is for all who may read the status: not for them is who connects, and to where. */
function withoutNames(text: string, { addresses }: Pick<Config, 'addresses'>): string {
  const names = addresses.flatMap(({ host, ip, user }) => [
    [host, '(host)'],
    [ip ?? '', '(host)'],
    [user, '(user)'],
  ])
  return names
    .filter(([name]) => name !== '')
    .reduce(
      (rest, [name = '', word = '']) =>
        rest.replaceAll(new RegExp(`(?<![\\w.-])${RegExp.escape(name)}(?![\\w-])`, 'g'), word),
      text,
    )
}
