import { adoptionOf, type Adoptable, type Adoption } from './adoption.ts'
import type { Config } from './config.ts'
import { Failure } from './failure.ts'
import type { Outcome, Tell } from './events.ts'
import { readFolder, type Folder } from './files/folder.ts'
import { readLargeFiles } from './large-files.ts'
import { writeAdoption } from './postgres/adopting.ts'
import { Connecting } from './postgres/connect.ts'
import { invalidIndexes } from './postgres/indexes.ts'
import { ensureLedger, look, type Ledger } from './postgres/ledger.ts'
import { lockKey, takeTurn } from './postgres/lock.ts'
import { recordEnd, recordStart, success, type Run } from './postgres/runs.ts'
import { ServerError } from './postgres/server-error.ts'
import type { Session } from './postgres/session.ts'
import { setChecksum } from './predecessor.ts'
import { Publishing } from './publishing.ts'
import { nothingRecorded } from './recorded.ts'

/**
 * Takes over what others have built: writes the ledger and runs no SQL of any file. Without
 * `isSure` it only tells what it would write; else it decides once more under the lock.
 *
 * @throws {Failure}
 */
export async function adopt(
  config: Config,
  adoptable: Adoptable,
  isSure: boolean,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<Outcome> {
  const { schema } = config
  await using connecting = new Connecting(config, run, tell, stop)
  const folder = await readFolder(config.dir, config.maxFileBytes)
  const { session, seen } = await connecting.result
  await readLargeFiles(folder, seen.ledger?.rows ?? [], config, tell, stop)
  const planned = decided(folder, seen.ledger, adoptable)
  const rows = planned.records.length
  const isNothing = planned.lines.length === 0
  for (const text of planned.lines) tell({ checkpoint: 'note', text })
  if (planned.forgets !== undefined) await tellInvalidIndexes(session, tell)
  if (isNothing || !isSure) return { kind: 'adopted', rows, isNothing, isWritten: false }

  const key = lockKey(schema)
  // Nothing that others do meanwhile makes this needless.
  await takeTurn(session, key, () => Promise.resolve(undefined), config, tell, stop)
  const { ledger } = await look(session, schema)
  const adoption = decided(folder, ledger, adoptable)
  if (adoption.lines.join('\n') !== planned.lines.join('\n'))
    throw new Failure('LEDGER_MOVED', 'the ledger has changed since this plan was made')
  await ensureLedger(session, schema, key, ledger)
  await recordStart(session, schema, run, setChecksum(folder), undefined)
  await writeAdoption(session, adoption, { schema, lockKey: key, run: run.id })
  await recordEnd(session, schema, run, success)
  if (config.status !== undefined) {
    const publishing = new Publishing(config.status, config, run, setChecksum(folder), tell, stop)
    const after = await look(session, schema)
    const failure = await publishing.ends(session, after.ledger?.rows ?? [])
    if (failure !== undefined) return { kind: 'failed', failure }
  }
  return { kind: 'adopted', rows, isNothing, isWritten: true }
}

function decided(folder: Folder, ledger: Ledger | undefined, adoptable: Adoptable): Adoption {
  const adoption = adoptionOf(folder, ledger ?? nothingRecorded, adoptable)
  if (adoption.kind === 'refused') throw adoption.failure
  return adoption
}

/** What a cut CREATE INDEX CONCURRENTLY may have left behind. */
async function tellInvalidIndexes(session: Session, tell: Tell): Promise<void> {
  const found = await invalidIndexes(session).catch((error: unknown) => {
    if (error instanceof ServerError) return []
    throw error
  })
  for (const { index, table, drop } of found) {
    const how = drop === undefined ? 'or is being built now' : `to remove it: ${drop}`
    tell({ checkpoint: 'warning', text: `${index} on ${table} is invalid; ${how}` })
  }
}
