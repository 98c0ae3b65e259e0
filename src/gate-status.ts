import { watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from './config.ts'
import type { Tell } from './events.ts'
import { Failure } from './failure.ts'
import type { SeenRun, Sight, Wanted } from './gate.ts'
import type { GateView, Obstacle } from './gate-view.ts'
import { readLargeFiles } from './large-files.ts'
import { pause } from './pause.ts'
import { setChecksum } from './predecessor.ts'
import { readPublished, rowsOf, unlike, type Published } from './published.ts'
import { openStatus } from './status-places.ts'
import { StatusTrouble, type StatusStore } from './status-store.ts'
import type { StatusTarget } from './status-target.ts'

const oneTryMs = 5_000

/** A file is looked at now and then, though its folder is watched: not every file system tells of changes. */
const blindMs = 1_000

/** Asks a database for its id. */
type AskId = (stop: AbortSignal) => Promise<string | Obstacle>

/** What runs have published: needs no connection, and knows as much as the last run that could publish. */
export class StatusView implements GateView {
  readonly #config: Config
  readonly #wanted: Wanted
  readonly #tell: Tell
  readonly #store: StatusStore
  /** Of a file. */
  readonly #folder: string | undefined
  readonly #askId: AskId | undefined
  #database: string | undefined
  #watcher: FSWatcher | undefined
  #changed = Promise.withResolvers<void>()

  /** @param askId - where there is a connection: only then can it be seen whose status it is */
  constructor(
    target: StatusTarget,
    config: Config,
    wanted: Wanted,
    tell: Tell,
    askId: AskId | undefined,
  ) {
    this.#config = config
    this.#wanted = wanted
    this.#tell = tell
    this.#store = openStatus(target, config)
    this.#folder = target.kind === 'file' ? dirname(target.path) : undefined
    this.#askId = askId
  }

  async look(stop: AbortSignal): Promise<Sight | Obstacle> {
    this.#changed = Promise.withResolvers()
    if (this.#askId !== undefined && this.#database === undefined) {
      const id = await this.#askId(stop)
      if (typeof id === 'object') return id
      this.#database = id
    }
    const published = await this.#read(stop)
    if ('reason' in published && 'more' in published) return published
    return await this.#sightOf(published, stop)
  }

  async rest(ms: number, stop: AbortSignal): Promise<void> {
    if (this.#folder === undefined) return await pause(ms, stop)
    // What has changed before it was watched is seen at once.
    if (this.#watcher === undefined && this.#watch(this.#folder)) return
    const over = new AbortController()
    const paused = pause(Math.min(ms, blindMs), AbortSignal.any([stop, over.signal]))
    await Promise.race([this.#changed.promise, paused.catch(ignore)])
    over.abort()
    stop.throwIfAborted()
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.close()
    return Promise.resolve()
  }

  /** The folder, not the file: a ConfigMap is swapped by a link beside it, and a rename makes a new file. */
  #watch(folder: string): boolean {
    try {
      this.#watcher = watch(folder, () => this.#changed.resolve())
      // The folder is gone: then looking now and then must do.
      this.#watcher.on('error', () => {
        this.#watcher?.close()
        this.#watcher = undefined
      })
      return true
    } catch {
      // It is not there yet, or the system has no more watches.
      return false
    }
  }

  /** @throws {Failure} STATUS_UNREADABLE */
  async #read(stop: AbortSignal): Promise<Published | Obstacle> {
    let text: string | undefined
    try {
      // A file answers at once.
      const isFile = this.#folder !== undefined
      const within = isFile ? stop : AbortSignal.any([stop, AbortSignal.timeout(oneTryMs)])
      text = await this.#store.read(within)
    } catch (error) {
      stop.throwIfAborted()
      if (!(error instanceof StatusTrouble)) throw error
      const { message, more, isLasting } = error
      if (isLasting)
        throw new Failure('STATUS_UNREADABLE', message, more.length > 0 ? more : undefined)
      return { reason: message, more }
    }
    // Its namespace is known when it was read.
    const { name } = this.#store
    if (text === undefined) return { reason: `there is no ${name} yet`, more: [areTheyTheSame] }
    const found = readPublished(text)
    if (typeof found === 'string')
      return { reason: `${name} is not believed: ${found}`, more: [nextRunMends] }
    if (this.#database === undefined || found.database === this.#database) return found
    const ids = `${found.database}, and this one is ${this.#database}`
    return { reason: `${name} tells of another database, ${ids}`, more: [nextRunMends] }
  }

  async #sightOf(published: Published, stop: AbortSignal): Promise<Sight> {
    const wanted = this.#wanted
    if (!('folder' in wanted))
      return { rows: rowsOf(published, nothing), run: seen(published, true), hints: [] }
    const { folder } = wanted
    const asked = new Set<unknown>(unlike(published.checksums, folder))
    const known = folder.files.filter((file) => !asked.has(file))
    await readLargeFiles(folder, [...known, noBytes], this.#config, this.#tell, stop)
    const isOurs = published.set === setChecksum(folder) && published.phase !== 'after-rollout'
    return { rows: rowsOf(published, folder), run: seen(published, isOurs), hints: [] }
  }
}

const nothing = { files: [], baseline: undefined }

/** A row, so that nobody takes the ledger for empty. */
const noBytes = { checksum: '' }

const nextRunMends = 'the next run on this database writes it anew'
const areTheyTheSame =
  'a run makes it: is LOCKSTEP_STATUS the same there and here, and has a run succeeded?'

function seen(published: Published, isOurs: boolean): SeenRun {
  const { run, state, exit, error, reason, started, finished } = published
  const agoMs = Date.now() - Date.parse(finished ?? started)
  // Clocks of two pods differ by a little.
  return {
    id: run,
    state,
    exit,
    error,
    detail: reason,
    isOurs,
    agoMs: Math.max(0, agoMs),
    logs: undefined,
  }
}

function ignore(): void {
  // The wait is over, or a change came first.
}
