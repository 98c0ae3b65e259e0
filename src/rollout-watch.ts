import { failures } from './errors.ts'
import type { Tell } from './events.ts'
import { Failure } from './failure.ts'
import { lookAtDeployments, type ClusterAccess } from './kubernetes/deployments.ts'
import { pause } from './pause.ts'
import { seconds } from './phrases.ts'
import { intruderIn, standOf, type RolloutTerms, type Seen } from './rollout.ts'
import { StatusTrouble } from './status-store.ts'

const lookAgainMs = 1000
/** An API server that does not answer holds up nobody for longer, once files are being applied. */
const patienceMs = 10_000
const oneLookMs = 5000

/** The rollout that files of the phase after-rollout wait for. */
export class RolloutWatch {
  readonly #terms: RolloutTerms
  readonly #access: ClusterAccess
  readonly #heartbeatMs: number
  readonly #tell: Tell
  readonly #stop: AbortSignal
  /** Deployments that have been seen as of this release. */
  readonly #ours = new Set<string>()
  readonly #sinceMs = performance.now()
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(
    terms: RolloutTerms,
    access: ClusterAccess,
    heartbeatMs: number,
    tell: Tell,
    stop: AbortSignal,
  ) {
    this.#terms = terms
    this.#access = access
    this.#heartbeatMs = heartbeatMs
    this.#tell = tell
    this.#stop = stop
  }

  /**
   * Waits until all pods are of this release.
   *
   * @throws {Failure} ROLLOUT_REPLACED, ROLLOUT_UNSEEN, ROLLOUT_WAIT_OVER, or the reason of the stop
   */
  async isComplete(): Promise<void> {
    const { waitMs } = this.#terms
    for (;;) {
      const missing = await this.#missing()
      if (missing === undefined) return
      const waitedMs = performance.now() - this.#sinceMs
      const [first = '', ...more] = missing
      if (waitedMs >= waitMs) {
        const text = `${first}, after LOCKSTEP_ROLLOUT_WAIT (${seconds(waitMs)})`
        throw new Failure('ROLLOUT_WAIT_OVER', text, [...more, failures.ROLLOUT_WAIT_OVER.todo])
      }
      if (performance.now() - this.#toldMs >= this.#heartbeatMs) {
        this.#toldMs = performance.now()
        this.#tell({ checkpoint: 'waiting', reason: `for the rollout: ${first}`, waitedMs, more })
      }
      const nextMs = Math.min(lookAgainMs * (0.5 + Math.random()), Math.max(waitMs - waitedMs, 1))
      await pause(nextMs, this.#stop)
    }
  }

  /**
   * Looks once more, just before a file.
   *
   * @throws {Failure} ROLLOUT_REPLACED, ROLLOUT_UNSEEN, ROLLOUT_WAIT_OVER, or the reason of the stop
   */
  async isStillOurs(): Promise<void> {
    const untilMs = performance.now() + patienceMs
    for (;;) {
      try {
        const intruder = intruderIn(await this.#look(), this.#terms.set)
        if (intruder !== undefined) throw replaced(intruder)
        return
      } catch (error) {
        if (!(error instanceof StatusTrouble)) throw error
        if (performance.now() >= untilMs) {
          const text = `the rollout cannot be looked at any more: ${error.message}`
          throw new Failure('ROLLOUT_WAIT_OVER', text)
        }
        await pause(lookAgainMs, this.#stop)
      }
    }
  }

  async #missing(): Promise<readonly string[] | undefined> {
    try {
      const seen = await this.#look()
      const { set } = this.#terms
      const stand = standOf(seen, set, this.#ours)
      if (stand.kind === 'replaced') throw replaced(stand.by)
      for (const [name, deployment] of seen) if (deployment?.set === set) this.#ours.add(name)
      return stand.kind === 'complete' ? undefined : stand.missing
    } catch (error) {
      if (!(error instanceof StatusTrouble)) throw error
      return [error.message]
    }
  }

  /** @throws {StatusTrouble} where another look may help */
  async #look(): Promise<Seen> {
    const within = AbortSignal.any([this.#stop, AbortSignal.timeout(oneLookMs)])
    try {
      return await lookAtDeployments(this.#access, this.#terms.deployments, within)
    } catch (error) {
      this.#stop.throwIfAborted()
      if (!(error instanceof StatusTrouble) || !error.isLasting) throw error
      throw new Failure('ROLLOUT_UNSEEN', error.message, [
        ...error.more,
        failures.ROLLOUT_UNSEEN.todo,
      ])
    }
  }
}

function replaced(by: string): Failure {
  return new Failure('ROLLOUT_REPLACED', by)
}
