import type { Config } from './config.ts'
import type { Plan } from './decide.ts'
import type { AllowedLoss, Effects, Tell } from './events.ts'
import { resolve } from './postgres/census.ts'
import { applicationName } from './postgres/connect.ts'
import { opensOf, type Terms } from './postgres/envelope.ts'
import { ensureLedger, type Ledger } from './postgres/ledger.ts'
import { lockKey } from './postgres/lock.ts'
import { rehearse, type RehearsedFile, type RehearsedStatement } from './postgres/rehearse.ts'
import type { Run } from './postgres/runs.ts'
import type { Session } from './postgres/session.ts'
import { serverMajor } from './postgres/settings.ts'
import { Watch } from './postgres/watch.ts'
import { failureDocument, type FailureDocument } from './refusals.ts'
import { worksOf } from './works.ts'

/** What came of a rehearsal; `docs/plan-command.md` says what the fields mean. */
export interface Rehearsal {
  readonly files: readonly FileRehearsal[]
  readonly notRehearsed: readonly { readonly file: string; readonly why: string }[]
}

export interface FileRehearsal {
  readonly file: string
  readonly verdict: 'passes' | 'fails'
  readonly failure: FailureDocument | undefined
  readonly durationMs: number
  readonly walBytes: number
  readonly effects: Effects | undefined
  readonly allowed: readonly AllowedLoss[]
  /** Of very many those with locks and the slowest, in their order. */
  readonly statements: readonly RehearsedStatement[]
  readonly moreStatements: number
  /** Allowances that nothing needed. */
  readonly unneeded: readonly string[]
}

/** Nobody waits longer behind a lock that a rehearsal waits for. */
const longestLockWaitMs = 1_000
const mostStatements = 100

/**
 * Runs what is pending in one transaction and rolls it back: whoever applies it for good finds it as
 * it was. Files behind one that fails are not run. The lock is held by the caller.
 *
 * @throws {Failure} where the ledger cannot be made, or the connection is lost
 */
export async function rehearsePlan(
  session: Session,
  plan: Plan,
  ledger: Ledger | undefined,
  config: Config,
  run: Run,
  tell: Tell,
): Promise<Rehearsal> {
  const { lockTimeoutMs, guardTables } = config
  const census = await resolve(session, guardTables, config.schema)
  const terms: Terms = {
    ...config,
    lockKey: lockKey(config.schema),
    run: run.id,
    application: applicationName(run),
    guardTables: [...guardTables, ...census.meant],
    lockTimeoutMs: Math.min(lockTimeoutMs || longestLockWaitMs, longestLockWaitMs),
  }
  await using watch = new Watch(session, session.backend, `lockstep/${run.id}/watch`, config, tell)
  const created = new Set<number>()
  const files: FileRehearsal[] = []
  const notRehearsed: { file: string; why: string }[] = []
  let failed: string | undefined
  await session.execute('begin')
  try {
    const around = { begin: 'savepoint lockstep_made', end: 'release savepoint lockstep_made' }
    await ensureLedger(session, config.schema, terms.lockKey, ledger, around)
    for (const planned of worksOf(plan, serverMajor(session))) {
      const work = { ...planned, lockTimeoutMs: undefined }
      const { file } = work
      if (failed !== undefined) {
        notRehearsed.push({ file, why: `it stands behind ${failed}, which fails` })
      } else if (work.how === 'statements') {
        notRehearsed.push({
          file,
          why: 'no transaction can hold it, so that nothing could be rolled back',
        })
        // The next row refers to its own.
        await session.execute(opensOf(work, terms))
      } else {
        watch.begins(file)
        const rehearsed = await rehearse(session, work, terms, created)
        files.push(documentOf(rehearsed))
        if (rehearsed.failure !== undefined) failed = file
      }
    }
  } finally {
    watch.rests()
    await session.execute('rollback').catch(() => undefined)
  }
  return { files, notRehearsed }
}

function documentOf(rehearsed: RehearsedFile): FileRehearsal {
  const { file, failure, durationMs, walBytes, effects, allowed = [], unneeded } = rehearsed
  const statements = mostTelling(rehearsed.statements)
  return {
    file,
    verdict: failure === undefined ? 'passes' : 'fails',
    failure: failure && failureDocument(failure),
    durationMs,
    walBytes,
    effects,
    allowed,
    statements,
    moreStatements: rehearsed.statements.length - statements.length,
    unneeded,
  }
}

function mostTelling(statements: readonly RehearsedStatement[]): readonly RehearsedStatement[] {
  if (statements.length <= mostStatements) return statements
  const most = new Set(
    statements.toSorted((a, b) => weight(b) - weight(a)).slice(0, mostStatements),
  )
  return statements.filter((statement) => most.has(statement))
}

/** Locks first, then time. */
function weight({ locks, durationMs }: RehearsedStatement): number {
  return durationMs + (locks.length > 0 ? Number.MAX_SAFE_INTEGER / 2 : 0)
}
