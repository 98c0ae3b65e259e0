import type { Config } from './config.ts'
import { decide, matchRows, nothingFound, type Decision } from './decide.ts'
import type { Tell } from './events.ts'
import { readFolder, type Folder } from './files/folder.ts'
import { printable } from './printable.ts'
import { describeAddress } from './postgres/address.ts'
import { Connecting } from './postgres/connect.ts'
import { findObjects, type Ledger, type LedgerEntry, type Run } from './postgres/ledger.ts'

interface Form {
  readonly json: boolean
  readonly exitCode: boolean
  readonly isTerminal: boolean
  readonly print: (text: string) => void
}

/** One file, or one row without a file, as `status` shows it. */
interface FileStatus {
  readonly file: string
  readonly state: 'applied' | 'pending' | 'changed' | 'not-in-folder'
  readonly how: string | undefined
  readonly appliedAt: string | undefined
  /** The name under which it was applied, where that is another. */
  readonly appliedAs: string | undefined
}

/**
 * Shows what is applied and what is pending. Reads only: no lock, no setting.
 *
 * @returns the exit code: 2 where something is pending or refused and `--exit-code` asks for it
 * @throws {Failure}
 */
export async function status(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
  form: Form,
): Promise<number> {
  await using connecting = new Connecting({ ...config, pooler: 'allow' }, run, tell, stop)
  const folder = await readFolder(config.dir, config.maxFileBytes)
  const { session, seen } = await connecting.result
  const rows = seen.ledger?.rows ?? []
  const found = rows.length === 0 ? await findObjects(session, config.schema) : nothingFound
  const decision = decide(folder, rows, found, config)
  const files = filesOf(folder, seen.ledger)
  const address = describeAddress(config.address)
  form.print(
    form.json
      ? document(address, decision, files)
      : table(address, decision, files, form.isTerminal),
  )
  return form.exitCode && decision.kind !== 'up-to-date' ? 2 : 0
}

function filesOf(folder: Folder, ledger: Ledger | undefined): FileStatus[] {
  const rows = ledger?.rows ?? []
  const matched = matchRows(folder.files, rows)
  const entries = new Map<number, LedgerEntry>(rows.map((row) => [row.id, row]))
  const ours = folder.files.map((file): FileStatus => {
    const entry = entries.get(matched.get(file)?.id ?? 0)
    if (entry === undefined) return pending(file.file)
    const state = entry.checksum === file.checksum ? 'applied' : 'changed'
    return {
      ...applied(entry, state),
      file: file.file,
      appliedAs: entry.name === file.file ? undefined : entry.name,
    }
  })
  const used = new Set([...matched.values()].map(({ id }) => id))
  const others = rows.filter(({ id }) => !used.has(id)).map((row) => applied(row, 'not-in-folder'))
  return [...ours, ...others]
}

function pending(file: string): FileStatus {
  return { file, state: 'pending', how: undefined, appliedAt: undefined, appliedAs: undefined }
}

function applied(row: LedgerEntry, state: FileStatus['state']): FileStatus {
  const appliedAt = row.finishedAt === null ? undefined : new Date(row.finishedAt).toISOString()
  return { file: row.name, state, how: row.how, appliedAt, appliedAs: undefined }
}

function document(database: string, decision: Decision, files: readonly FileStatus[]): string {
  const { kind } = decision
  const failure =
    kind === 'refused'
      ? { code: decision.failure.code, message: decision.failure.message }
      : undefined
  return `${JSON.stringify({ database, state: kind, failure, files }, null, 2)}\n`
}

function table(
  database: string,
  decision: Decision,
  files: readonly FileStatus[],
  inColour: boolean,
): string {
  const width = Math.max(...files.map(({ file }) => file.length))
  const paint = (text: string, code: number): string =>
    inColour ? `\u001B[${code}m${text}\u001B[0m` : text
  const colours: Record<FileStatus['state'], number> = {
    applied: 32,
    pending: 33,
    changed: 31,
    'not-in-folder': 36,
  }
  const lines = files.map(({ file, state, how, appliedAt, appliedAs }) => {
    const parts = [
      appliedAt?.slice(0, 19).replace('T', ' '),
      how === 'baseline' ? 'by the baseline' : undefined,
    ]
    const renamed = appliedAs === undefined ? undefined : `as ${printable(appliedAs)}`
    const rest = [...parts, renamed].filter((part) => part !== undefined).join('  ')
    return `  ${printable(file).padEnd(width)}  ${paint(state.padEnd(13), colours[state])}  ${rest}`.trimEnd()
  })
  return [database, '', ...lines, '', ...summary(decision, files), ''].join('\n')
}

function summary(decision: Decision, files: readonly FileStatus[]): string[] {
  const number = files.filter(({ state }) => state === 'pending').length
  switch (decision.kind) {
    case 'up-to-date':
      return ['nothing is pending', ...decision.notes]
    case 'pending':
      return [`${number} pending`, ...decision.notes]
    case 'refused':
      return [
        `lockstep migrate would refuse: ${decision.failure.code}`,
        decision.failure.message,
        ...decision.failure.more,
      ]
  }
}
