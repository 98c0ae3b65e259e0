import { asFailure, type Failure } from '../../src/failure.ts'
import { noDirectives } from '../../src/files/directives.ts'
import { meaningOf } from '../../src/files/meaning.ts'
import { applyAll } from '../../src/postgres/window.ts'
import type { Work } from '../../src/postgres/envelope.ts'
import { ensureLedger, look } from '../../src/postgres/ledger.ts'
import { lockKey } from '../../src/postgres/lock.ts'
import type { Database } from './database.ts'
import { openConfirmed } from './session.ts'

const schema = 'lockstep'

/**
 * Applies texts past all that reads them before: what is tested is what the server and the text
 * around each file do by themselves.
 *
 * @returns the names of those whose COMMIT was answered, and what ended the run
 */
export async function applyUnchecked(
  db: Database,
  texts: Readonly<Record<string, string>>,
): Promise<{ applied: string[]; failure: Failure | undefined }> {
  await using session = await openConfirmed(db)
  await ensureLedger(session, schema, lockKey(schema), (await look(session, schema)).ledger)
  const terms = {
    schema,
    lockKey: lockKey(schema),
    run: 'test',
    application: 'lockstep/test',
    pooler: 'refuse',
    lockTimeoutMs: 5_000,
    statementTimeoutMs: 0,
    guardTables: [],
  } as const
  const works = Object.entries(texts).map(([file, text], index): Work => {
    const version = BigInt(index + 1)
    const directives = noDirectives
    const earned = { file, version, text, checksum: 'x', directives, meaning: meaningOf(text) }
    const timeouts = { lockTimeoutMs: undefined, statementTimeoutMs: undefined }
    const rest = {
      modes: '',
      ...timeouts,
      how: 'transaction',
      head: index,
      over: [],
      allowances: [],
    } as const
    return { file, text, earns: [earned], ...rest }
  })
  const applied: string[] = []
  try {
    for await (const { work } of applyAll(session, works, terms, () => undefined)) {
      applied.push(work.file)
    }
  } catch (error) {
    return { applied, failure: asFailure(error) }
  }
  return { applied, failure: undefined }
}
