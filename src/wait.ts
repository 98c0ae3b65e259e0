import type { Outcome, Tell } from './events.ts'
import { failures } from './errors.ts'
import { Failure } from './failure.ts'
import { judgeGate, lookAt, runText, type SeenRun, type Wanted } from './gate.ts'
import type { GateConfig } from './gate-config.ts'
import { askId, DatabaseView } from './gate-database.ts'
import { StatusView } from './gate-status.ts'
import type { GateView, Obstacle } from './gate-view.ts'
import { openFolder } from './open-folder.ts'
import { seconds } from './phrases.ts'
import type { Run } from './postgres/runs.ts'

/** Hundreds of pods may wait at once: looks begin close together and grow apart. */
const firstPauseMs = 500
const longestPauseMs = 5_000

/**
 * The gate before the pods of an image: ends when the schema has all that the image needs, however long
 * ago and by whomever it was applied. It looks at what is applied and at nothing else, so it outlives the
 * Job, lets an older image pass on a newer schema, and stays shut on any doubt.
 *
 * @param version - what an image without files waits for
 * @throws {Failure} FILE_CHANGED, IMAGE_TOO_OLD, SAME_FILES_FAILED where waiting does not help,
 *   GATE_WAIT_OVER, STATUS_UNREADABLE, and those of the folder and of a connection
 */
export async function wait(
  config: GateConfig,
  version: string | undefined,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<Outcome> {
  const beganMs = performance.now()
  const wanted = version === undefined ? await readWanted(config, tell) : { version }
  await using view = openView(config, wanted, run, tell)
  let told = { what: '', atMs: Number.NEGATIVE_INFINITY }
  let followed: SeenRun | undefined
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    const sight = await view.look(stop)
    const nowMs = performance.now()
    const waitedMs = nowMs - beganMs
    let obstacle: Obstacle
    let what: string
    if ('rows' in sight) {
      const verdict = judgeGate(wanted, sight, waitedMs)
      if (verdict.kind === 'open') return { ...verdict, kind: 'ready' }
      if (verdict.kind === 'refused') throw verdict.failure
      followed = sight.run
      what = `${verdict.lacking} ${followed?.id} ${followed?.state}`
      const reason = `this image needs ${verdict.lacking}; ${runText(followed)}`
      obstacle = { reason, more: sight.hints }
    } else {
      obstacle = sight
      what = sight.reason
    }
    if (waitedMs >= config.gateWaitMs) throw over(obstacle, followed, waitedMs)
    const isDue = what !== told.what || nowMs - told.atMs >= config.heartbeatMs
    if (isDue) {
      tell({ checkpoint: 'waiting', ...obstacle, waitedMs })
      told = { what, atMs: nowMs }
    }
    const untilMs = Math.min(config.gateWaitMs - waitedMs, told.atMs + config.heartbeatMs - nowMs)
    await view.rest(Math.min(pauseMs * (0.5 + Math.random()), Math.max(untilMs, 1)), stop)
  }
}

/** The files of this image; without any, it must be said what is waited for. */
async function readWanted(config: GateConfig, tell: Tell): Promise<Wanted> {
  try {
    return { folder: await openFolder(config, tell) }
  } catch (error) {
    const isEmpty =
      error instanceof Failure && ['FOLDER_EMPTY', 'FOLDER_UNREADABLE'].includes(error.code)
    if (!isEmpty) throw error
    throw new Failure(error.code, error.message, [
      ...error.more,
      'an image without SQL files says what it needs: lockstep wait --version 0042',
    ])
  }
}

function openView(config: GateConfig, wanted: Wanted, run: Run, tell: Tell): GateView {
  const { source, addresses } = config
  if (source === undefined) return new DatabaseView(config, wanted, run, tell)
  const ask = (stop: AbortSignal) => askId(config, run, tell, stop)
  return new StatusView(source, config, wanted, tell, addresses.length > 0 ? ask : undefined)
}

function over({ reason, more }: Obstacle, run: SeenRun | undefined, waitedMs: number): Failure {
  const last = run === undefined || reason.includes(run.id) ? [] : [`before that: ${runText(run)}`]
  return new Failure('GATE_WAIT_OVER', `${reason}; waited for ${seconds(waitedMs)}`, [
    ...last,
    ...more,
    ...lookAt(run),
    failures.GATE_WAIT_OVER.todo,
  ])
}
