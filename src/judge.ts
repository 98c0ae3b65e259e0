import { decide, type Decision, type Wishes } from './decide.ts'
import { holdsLedger } from './files/dump.ts'
import type { Folder } from './files/folder.ts'
import type { Found } from './objections.ts'
import { withDigests, type Ledger } from './postgres/ledger.ts'
import type { Session } from './postgres/session.ts'
import { nothingRecorded } from './recorded.ts'
import { refused } from './refusals.ts'

/** Decides. Where a file was edited the ledger is asked once more, so that it can be said how. */
export async function judge(
  session: Session,
  schema: string,
  folder: Folder,
  ledger: Ledger | undefined,
  found: Found,
  wishes: Wishes,
): Promise<Decision> {
  const decision = decide(folder, ledger ?? nothingRecorded, found, wishes)
  const baseline = decision.kind === 'pending' ? decision.baseline : undefined
  if (baseline !== undefined && holdsLedger(baseline.text, schema)) {
    return refused(
      'BASELINE_INVALID',
      [`baseline.sql makes the ledger, the schema ${schema}, which is not part of what it builds`],
      [`leave it out: pg_dump --schema-only --exclude-schema=${schema}`],
    )
  }
  const isEdited = decision.kind === 'refused' && decision.failure.code === 'FILE_CHANGED'
  if (ledger === undefined || !isEdited) return decision
  return decide(folder, await withDigests(session, schema, ledger), found, wishes)
}
