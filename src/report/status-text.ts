import { printable } from '../printable.ts'
import type { FileStatus, Holder, RunStatus, StatusDocument } from '../status-document.ts'
import { blockerText, count, doing, seconds } from '../phrases.ts'

/** A fact, or what to type: a command or a statement, ready to be copied. */
type Line = string | { readonly type: string }

/** Lines about one thing, with a word in front as in the log. */
interface Section {
  readonly word: string
  readonly colour: keyof typeof colours
  readonly lines: readonly Line[]
}

const colours = { red: 31, green: 32, yellow: 33, cyan: 36, bold: 1 } as const
const wordWidth = 11

type Paint = (text: string, colour: keyof typeof colours) => string

/**
 * The document for people: the files, what is pending, then a section for each thing that is wrong
 * or under way, the most urgent last. Pure.
 */
export function statusText(document: StatusDocument, inColour: boolean): string {
  const paint: Paint = (text, colour) =>
    inColour ? `\u001B[${colours[colour]}m${text}\u001B[0m` : text
  const { files, hidden, unguarded, invalidIndexes, halfDone, lastFailedRun, lastRun, lock } =
    document
  const isLastFailed = lastFailedRun?.run === lastRun?.run
  const sections: Section[] = [
    ...hidden.map(({ what, why, grant }) =>
      section('hidden', 'yellow', [`${what} cannot be read: ${why}`, ...typed(grant)]),
    ),
    ...(unguarded.length > 0 ? [section('guard', 'yellow', unguarded)] : []),
    ...invalidIndexes.map((found) => section('index', 'red', indexLines(found))),
    ...halfDone.map((found) => section('half done', 'red', halfDoneLines(found))),
    ...(lastFailedRun && !isLastFailed ? [failedSection(lastFailedRun, lastRun)] : []),
    ...(lastRun ? [section('last run', colourOf(lastRun), runLines(lastRun))] : []),
    ...(lock ? [section('lock', lock.mayBeOrphaned ? 'red' : 'yellow', lockLines(lock))] : []),
  ]
  return [
    printable(document.database),
    '',
    ...table(files, paint),
    '',
    ...summary(document).map(printable),
    ...(sections.length > 0 ? [''] : []),
    ...sections.flatMap((each) => sectionText(each, paint)),
    '',
  ].join('\n')
}

function table(files: readonly FileStatus[], paint: Paint): string[] {
  const width = Math.max(...files.map(({ file }) => file.length))
  const stateColours = {
    applied: 'green',
    pending: 'yellow',
    changed: 'red',
    'not-in-folder': 'cyan',
  } as const
  return files.map(({ file, state, how, appliedAt, appliedAs }) => {
    const parts = [
      appliedAt === undefined ? undefined : moment(appliedAt),
      how === 'baseline' ? 'by the baseline' : undefined,
      appliedAs === undefined ? undefined : `as ${printable(appliedAs)}`,
    ]
    const rest = parts.filter((part) => part !== undefined).join('  ')
    return `  ${printable(file).padEnd(width)}  ${paint(state.padEnd(13), stateColours[state])}  ${rest}`.trimEnd()
  })
}

function summary({ state, files, notes, failure }: StatusDocument): string[] {
  switch (state) {
    case 'up-to-date':
      return ['nothing is pending', ...notes]
    case 'pending':
      return [`${files.filter((file) => file.state === 'pending').length} pending`, ...notes]
    case 'refused':
      return [
        `lockstep migrate would refuse: ${failure?.code}`,
        failure?.message ?? '',
        ...(failure?.more ?? []),
      ]
  }
}

function section(word: string, colour: Section['colour'], lines: readonly Line[]): Section {
  return { word, colour, lines }
}

function sectionText({ word, colour, lines }: Section, paint: Paint): string[] {
  return lines.map((line, index) => {
    const front = index === 0 ? paint(word.padEnd(wordWidth), colour) : ' '.repeat(wordWidth)
    const text = typeof line === 'string' ? printable(line) : paint(printable(line.type), 'bold')
    return front + text
  })
}

/** What to type, where there is something. */
function typed(...texts: readonly (string | undefined)[]): Line[] {
  return texts.filter((text) => text !== undefined).map((type) => ({ type }))
}

function indexLines({
  index,
  table: on,
  builderPid,
  drop,
}: StatusDocument['invalidIndexes'][number]): Line[] {
  if (builderPid !== undefined) {
    return [
      `${index} on ${on} is invalid, or being built: pid ${builderPid} builds an index now`,
      'look again when that is done',
    ]
  }
  return [
    `${index} on ${on} is invalid: building it failed, no query uses it, every write keeps it`,
    'to remove it, before it is built again:',
    ...typed(drop),
  ]
}

function halfDoneLines({
  file,
  inFolder,
  steps,
  look,
}: StatusDocument['halfDone'][number]): Line[] {
  return [
    `${file}: ${count(steps.length, 'step')} recorded, but the file is not applied`,
    ...(inFolder ? [] : ['it is a file of another image: this folder does not have it']),
    ...steps.map(
      ({ ordinal, meaning, state }) => `step ${ordinal} is ${state} (${meaning.slice(0, 12)})`,
    ),
    inFolder
      ? 'the next run goes on behind the last that is done, and mends what one that is begun has left:'
      : 'an image that has the file goes on there; this one leaves it alone:',
    ...typed(look),
  ]
}

/** A failure that is not the last word; what to do is said only while nothing has succeeded since. */
function failedSection(run: RunStatus, last: RunStatus | undefined): Section {
  return last?.state === 'succeeded'
    ? section('failed', 'cyan', [
        ...runLines({ ...run, todo: undefined, retryHelps: undefined, logs: undefined }),
        'a later run has succeeded',
      ])
    : section('failed', 'red', runLines(run))
}

function colourOf({ state }: RunStatus): Section['colour'] {
  if (state === 'succeeded') return 'green'
  return state === 'running' ? 'yellow' : 'red'
}

function runLines(run: RunStatus): Line[] {
  const { state, pod, image, startedAt, finishedAt, agoMs, applied, lastApplied, logs } = run
  const where = pod === undefined || pod === '' ? '' : ` in ${pod}`
  const who = `run ${run.run}${where}${image === undefined ? '' : ` of ${image}`}`
  const at = `${moment(finishedAt ?? startedAt)} UTC, ${seconds(agoMs)} ago`
  const kept =
    applied === 0 ? 'no file' : `${count(applied, 'file')}, the last of them ${lastApplied}`
  switch (state) {
    case 'succeeded':
      return [`${who} succeeded, ${at}: it applied ${kept}`]
    case 'running':
      return [`${who} began ${at}, and is running: it has applied ${kept}`]
    case 'vanished':
      return [
        `${who} began ${at}, and ended without a word (killed, or its node went away)`,
        `the ledger knows what is applied; of this run: ${kept}`,
        'to go on, run again:',
        { type: 'lockstep migrate' },
      ]
    default:
      return [
        `${who} ${state === 'failed' ? '' : 'was '}${state}, ${at}: ${reasonText(run)}`,
        ...(run.means === undefined ? [] : [`${run.code} means: ${run.means}`]),
        `applied in this run and kept: ${kept}`,
        ...(logs === undefined ? [] : ['its log says more:', { type: logs }]),
        ...(run.todo === undefined
          ? []
          : [`a retry ${run.retryHelps === true ? 'may help' : 'will not help'}: ${run.todo}`]),
      ]
  }
}

function reasonText({ code = 'no reason', file, exit }: RunStatus): string {
  return [
    file === undefined ? code : `${code} in ${file}`,
    ...(exit === undefined ? [] : [`exit ${exit}`]),
  ].join(', ')
}

function lockLines(holder: Holder): Line[] {
  const { pid, run, pod, user, application, connectedMs, blockers } = holder
  const who =
    run === undefined
      ? `pid ${pid}, no runner of Lockstep${application === '' ? '' : ` (application ${application})`}`
      : `${pod === '' ? 'a runner' : pod} (run ${run}, pid ${pid})`
  const as = user === undefined ? '' : ` as ${user}`
  const since = connectedMs === undefined ? '' : `, connected for ${seconds(connectedMs)}`
  return [
    `held by ${who}${as}${since}`,
    ...doesLines(holder),
    ...blockers.flatMap((blocker) => [
      blockerText(blocker),
      ...(blocker.terminate === undefined
        ? []
        : ['if that session may be ended:', { type: blocker.terminate }]),
    ]),
  ]
}

function doesLines(holder: Holder): Line[] {
  const { state, stateMs = 0, file, waitsFor, blockers, mayBeOrphaned, terminate } = holder
  if (state === undefined) return ['what it does is hidden from this role']
  if (mayBeOrphaned) {
    return [
      `holds the lock, ${state} for ${seconds(stateMs)}: its client may be gone`,
      'the server ends it within 15 s where the client’s machine is gone,',
      'but not where a proxy keeps the connection open, or the client stands still',
      'if nothing runs in that pod any more:',
      ...typed(terminate),
    ]
  }
  if (state !== 'active') return [`${state} for ${seconds(stateMs)}`]
  const what = file === undefined ? 'works' : `applies ${file}`
  if (blockers.length === 0)
    return [[`${what} for ${seconds(stateMs)}`, doing(holder) ?? []].flat().join(': ')]
  const lock = waitsFor === undefined ? 'a lock' : `${waitsFor.mode} on ${waitsFor.on}`
  return [`${what} for ${seconds(stateMs)}, and waits for ${lock}`]
}

/** `2026-11-23 02:14:07`, in UTC. */
function moment(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ')
}
