import { hash } from 'node:crypto'
import { Failure } from './errors.ts'
import type { Tell } from './events.ts'
import type { Folder } from './files/folder.ts'
import { pause } from './pause.ts'
import { seconds } from './phrases.ts'
import type { FailedRun, Run } from './postgres/ledger.ts'

/** After a failure that a retry does not mend, initContainers start again for ever. */
const restMs = 30_000

/** A start soon after such a failure of the same files waits, unless a person watches. */
export async function letFailureRest(
  failed: FailedRun | undefined,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<void> {
  const leftMs = restMs - (failed?.agoMs ?? restMs)
  if (failed === undefined || leftMs <= 0 || run.isAttended) return
  const reason = `${sameFilesFailed(failed).message} ${seconds(failed.agoMs)} ago: trying again in ${seconds(leftMs)}`
  tell({ checkpoint: 'waiting', reason, waitedMs: 0, more: [] })
  await pause(leftMs, stop)
}

export function sameFilesFailed({ id, reason, file }: FailedRun): Failure {
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
