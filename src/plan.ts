import type { Config } from './config.ts'
import type { Decision, Plan } from './decide.ts'
import type { Tell } from './events.ts'
import { allowanceText } from './files/allowance.ts'
import type { Directives } from './files/directives.ts'
import { readFolder, type Folder, type Migration } from './files/folder.ts'
import { LargeText } from './files/large.ts'
import { countOf } from './files/text.ts'
import { judge } from './judge.ts'
import { readLargeFiles } from './large-files.ts'
import { nothingFound } from './objections.ts'
import { describeAddress } from './postgres/address.ts'
import { Connecting } from './postgres/connect.ts'
import { findObjects } from './postgres/found.ts'
import { look } from './postgres/ledger.ts'
import { lockKey, takeTurn } from './postgres/lock.ts'
import type { Run } from './postgres/runs.ts'
import { failureDocument, type FailureDocument } from './refusals.ts'
import { rehearsePlan, type Rehearsal } from './rehearsal.ts'
import { unfit, worksOf as transactionsOf } from './works.ts'

/**
 * What `migrate` would do now: `--json` prints it as it is, the text is made of it and of nothing
 * else. `docs/plan-command.md` says what the fields mean.
 */
export interface PlanDocument {
  readonly database: string
  readonly state: Decision['kind']
  readonly failure: FailureDocument | undefined
  readonly phase: string | undefined
  /** In the order in which it would run. */
  readonly work: readonly PlannedFile[]
  /** Pending, but not due in this phase. */
  readonly later: readonly string[]
  readonly notes: readonly string[]
  /** What came of running it, where that was asked for and something was to run. */
  readonly rehearsal: Rehearsal | undefined
}

interface PlannedFile {
  readonly file: string
  readonly mode: 'baseline' | 'transaction' | 'statements'
  readonly statements: number
  /** The files that a baseline stands for. */
  readonly covers: readonly string[]
  /** As they would be written. */
  readonly directives: readonly string[]
  /** The name under which it was begun, where that is another. */
  readonly begunAs: string | undefined
}

/**
 * Reads only: no lock, nothing written. What is decided under the lock may be another thing, where
 * somebody else works meanwhile. A rehearsal takes the lock and runs what is pending, without a COMMIT.
 *
 * @throws {Failure} only where connection, folder or the ledger itself cannot be read
 */
export async function plan(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
  rehearses = false,
): Promise<PlanDocument> {
  const pooler = rehearses ? config.pooler : 'allow'
  await using connecting = new Connecting({ ...config, pooler }, run, tell, stop)
  const folder = await readFolder(config.dir, config.maxFileBytes)
  const { session, seen, address } = await connecting.result
  const { schema, phase } = config
  await readLargeFiles(folder, seen.ledger?.rows ?? [], config, tell, stop)
  let { ledger } = seen
  if (rehearses) {
    await takeTurn(session, lockKey(schema), whateverOthersDo, config, tell, stop)
    ledger = (await look(session, schema)).ledger
  }
  const isFirst = (ledger?.rows.length ?? 0) === 0
  const found = isFirst ? await findObjects(session, schema) : nothingFound
  const judged = await judge(session, schema, folder, ledger, found, config)
  const failure = judged.kind === 'pending' ? unfit(transactionsOf(judged)) : undefined
  const decision = failure === undefined ? judged : ({ kind: 'refused', failure } as const)
  const document = planOf(describeAddress(address), phase, folder, decision)
  if (!rehearses || decision.kind !== 'pending') return document
  return {
    ...document,
    rehearsal: await rehearsePlan(session, decision, ledger, config, run, tell),
  }
}

/** A rehearsal is not done by anybody else. */
async function whateverOthersDo(): Promise<undefined> {
  return undefined
}

export function planOf(
  database: string,
  phase: string | undefined,
  folder: Folder,
  decision: Decision,
): PlanDocument {
  const isRefused = decision.kind === 'refused'
  return {
    database,
    state: decision.kind,
    failure: isRefused ? failureDocument(decision.failure) : undefined,
    phase,
    work: decision.kind === 'pending' ? worksOf(decision) : [],
    later: isRefused ? [] : decision.later.map(({ file }) => file),
    notes: [...folder.warnings, ...(isRefused ? [] : decision.notes)],
    rehearsal: undefined,
  }
}

function worksOf({ baseline, covered, pending, takeOvers }: Plan): PlannedFile[] {
  const first: PlannedFile[] =
    baseline === undefined
      ? []
      : [
          {
            file: 'baseline.sql',
            mode: 'baseline',
            statements: countOf(baseline.text),
            covers: covered.map(({ file }) => file),
            directives: [],
            begunAs: undefined,
          },
        ]
  return [...first, ...pending.map((file) => workOf(file, takeOvers))]
}

function workOf(
  { file, text, directives, meaning }: Migration,
  takeOvers: Plan['takeOvers'],
): PlannedFile {
  return {
    file,
    mode: directives.noTransaction ? 'statements' : 'transaction',
    statements: text instanceof LargeText ? text.count : meaning.statements.length,
    covers: [],
    directives: wordsOf(directives),
    begunAs: takeOvers.find(({ to }) => to === file)?.from,
  }
}

function wordsOf(directives: Directives): string[] {
  const { noTransaction, afterRollout, breaksBefore, allowances } = directives
  const { lockTimeoutMs, statementTimeoutMs } = directives
  return [
    ...(noTransaction ? ['no-transaction'] : []),
    ...(afterRollout ? ['after-rollout'] : []),
    ...(breaksBefore === undefined ? [] : [`breaks-before ${breaksBefore}`]),
    ...(lockTimeoutMs === undefined ? [] : [`lock-timeout ${lockTimeoutMs}ms`]),
    ...(statementTimeoutMs === undefined ? [] : [`statement-timeout ${statementTimeoutMs}ms`]),
    ...allowances.map(allowanceText),
  ]
}
