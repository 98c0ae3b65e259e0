import type { Config } from './config.ts'
import { StatusMap } from './kubernetes/status-map.ts'
import { StatusFile } from './status-file.ts'
import type { StatusStore } from './status-store.ts'
import type { StatusTarget } from './status-target.ts'

/** The place that `LOCKSTEP_STATUS` names. */
export function openStatus(
  target: StatusTarget,
  { cluster }: Pick<Config, 'cluster'>,
): StatusStore {
  return target.kind === 'file' ? new StatusFile(target.path) : new StatusMap(target, cluster)
}
