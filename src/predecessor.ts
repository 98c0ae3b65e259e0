import { hash } from 'node:crypto'
import { Failure } from './failure.ts'
import type { Folder } from './files/folder.ts'
import { pause } from './pause.ts'
import { seconds } from './phrases.ts'
import type { FailedRun } from './postgres/runs.ts'
import type { Trip } from './trip.ts'

/** After a failure that a retry does not mend, initContainers start again for ever. */
const restMs = 30_000

/** A start soon after such a failure of the same files waits, unless a person watches. */
export async function letFailureRest(
  failed: FailedRun | undefined,
  { run, config, tell, stop }: Pick<Trip, 'run' | 'config' | 'tell' | 'stop'>,
): Promise<void> {
  if (failed === undefined || run.isAttended) return
  const endMs = performance.now() + restMs - failed.agoMs
  const { message } = sameFilesFailed(failed)
  for (;;) {
    const leftMs = endMs - performance.now()
    if (leftMs <= 0) return
    const reason = `${message} not long ago: trying again in ${seconds(leftMs)}`
    tell({ checkpoint: 'waiting', reason, waitedMs: 0, more: [] })
    await pause(Math.min(leftMs, config.heartbeatMs), stop)
  }
}

/**
 * Clocks of server and client are not compared, only how much time has passed on each. The answer is
 * of a later moment than the question, so that a failure from before never counts.
 *
 * @param sinceMs - by `performance.now()`
 * @throws {Failure} SAME_FILES_FAILED
 */
export function refuseIfFailedSince(sinceMs: number, failed: FailedRun | undefined): void {
  if (failed !== undefined && failed.agoMs < failed.askedMs - sinceMs) throw sameFilesFailed(failed)
}

function sameFilesFailed({ id, reason, file }: FailedRun): Failure {
  const where = file === undefined ? '' : ` in ${file}`
  return new Failure(
    'SAME_FILES_FAILED',
    `run ${id} of the same files failed with ${reason}${where}`,
  )
}

/** What this image would have: SHA-256 over names and checksums of its files. */
export function setChecksum(folder: Folder): string {
  const { files, baseline } = folder
  const all = baseline === undefined ? files : [...files, { file: 'baseline.sql', ...baseline }]
  return hash('sha256', all.map(({ file, checksum }) => `${checksum}  ${file}\n`).join(''))
}
