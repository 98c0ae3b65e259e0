import type { Blocker, Tell } from '../events.ts'
import { pause } from '../pause.ts'
import { activityOf, type Activity } from './activity.ts'
import { ServerError } from './server-error.ts'
import type { Session } from './session.ts'

interface Wanted {
  readonly heartbeatMs: number
  readonly lockTimeoutMs: number
}

interface Watched {
  readonly file: string
  readonly begunMs: number
  toldMs: number
  blockers: readonly Blocker[]
  /** Somebody in the way of this file was told of, in this try or an earlier one. */
  isBlockTold: boolean
}

/** A look may not make a line late. */
const longestLookMs = 1_000
const shortestTickMs = 50

/**
 * Watches the session that applies files, from a connection of its own that is opened only when a
 * file takes long: a line at each heartbeat, and a line as soon as somebody is seen in the way.
 */
export class Watch implements AsyncDisposable {
  readonly #wanted: Wanted
  readonly #on: Session
  readonly #pid: number | string
  readonly #name: string
  readonly #tell: Tell
  readonly #tickMs: number
  readonly #timer: NodeJS.Timeout
  readonly #left = new AbortController()
  #watched: Watched | undefined
  #last: Watched | undefined
  #beside: Promise<Session> | undefined
  #isLooking = false
  /** This role may not look: the lines go on, and say less. */
  #isBlind = false

  /**
   * @param on - the session beside which it looks
   * @param pid - of the session to watch, or an expression that yields it
   * @param name - the application name of the connection that looks
   */
  constructor(on: Session, pid: number | string, name: string, wanted: Wanted, tell: Tell) {
    this.#on = on
    this.#pid = pid
    this.#wanted = wanted
    this.#name = name
    this.#tell = tell
    // Twice within a lock time-out, so that whoever is in the way is seen before it is over.
    const { heartbeatMs, lockTimeoutMs } = wanted
    const halfMs = Math.min(heartbeatMs, lockTimeoutMs === 0 ? heartbeatMs : lockTimeoutMs) / 2
    this.#tickMs = Math.max(halfMs, shortestTickMs)
    this.#timer = setInterval(() => void this.#tick(), this.#tickMs)
  }

  /** From now on it is about this file, perhaps once more. */
  begins(file: string): void {
    const nowMs = performance.now()
    const earlier = this.#last?.file === file ? this.#last : undefined
    const { toldMs = nowMs, isBlockTold = false } = earlier ?? {}
    this.#watched = { file, begunMs: nowMs, toldMs, blockers: [], isBlockTold }
    this.#last = this.#watched
  }

  /** Nothing runs for now. */
  rests(): void {
    this.#watched = undefined
  }

  /** Who was last seen in the way of the file. */
  get blockers(): readonly Blocker[] {
    return this.#last?.blockers ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.rests()
    this.#left.abort()
    await this.#beside?.then((session) => session[Symbol.asyncDispose](), ignore)
  }

  async #tick(): Promise<void> {
    const watched = this.#watched
    if (watched === undefined || this.#isLooking) return
    if (performance.now() - watched.begunMs < this.#tickMs) return
    this.#isLooking = true
    const seen = await this.#look()
    this.#isLooking = false
    // Another file by now, or none.
    if (this.#watched !== watched) return
    this.#say(watched, seen)
  }

  #say(watched: Watched, seen: Activity | undefined): void {
    const { file, begunMs } = watched
    const nowMs = performance.now()
    const blockers = seen?.blockers ?? []
    const isNewlyBlocked = blockers.length > 0 && !watched.isBlockTold
    // Half a tick early rather than half a tick late.
    const isDue = nowMs - watched.toldMs >= this.#wanted.heartbeatMs - this.#tickMs / 2
    if (blockers.length > 0) watched.blockers = blockers
    if (!isDue && !isNewlyBlocked) return
    watched.toldMs = nowMs
    const runningMs = nowMs - begunMs
    if (blockers.length > 0) {
      watched.isBlockTold = true
      this.#tell({ checkpoint: 'blocked', file, runningMs, waitsFor: seen?.waitsFor, blockers })
    } else {
      const { waitEvent, progress } = seen ?? {}
      this.#tell({ checkpoint: 'running', file, runningMs, waitEvent, progress })
    }
  }

  #goBlind({ said }: ServerError): void {
    if (!this.#isBlind) {
      const text = `what a file does, and who blocks it, cannot be told: ${said}`
      this.#tell({ checkpoint: 'note', text })
    }
    this.#isBlind = true
  }

  /** The next tick opens another. */
  #giveUp(beside: Promise<Session>): void {
    if (this.#beside === beside) this.#beside = undefined
    beside.then((session) => session[Symbol.asyncDispose](), ignore).catch(ignore)
  }

  /** What the watched session does, or undefined where that cannot be known now. */
  async #look(): Promise<Activity | undefined> {
    const look = async (): Promise<Activity | undefined> => {
      if (this.#isBlind) return undefined
      const beside = (this.#beside ??= this.#on.beside(this.#name, this.#left.signal))
      try {
        return await activityOf(await beside, this.#pid)
      } catch (error) {
        if (error instanceof ServerError && error.sqlState.startsWith('42')) this.#goBlind(error)
        else this.#giveUp(beside)
        return undefined
      }
    }
    const enough = pause(longestLookMs, this.#left.signal).catch(ignore)
    return (await Promise.race([look(), enough])) ?? undefined
  }
}

function ignore(): undefined {
  return undefined
}
