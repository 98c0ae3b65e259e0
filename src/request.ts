import { parseArgs } from 'node:util'
import type { Adoptable } from './adoption.ts'
import { variableOfFlag, type Env } from './config.ts'
import { Failure, failureOfAll } from './failure.ts'
import { gateSources, type GateSource } from './gate-config.ts'
import { nearest } from './nearest.ts'
import { checkFormats, type CheckFormat } from './check.ts'

/** What is asked for on the command line; `env` is the environment, with the flags over it. */
export type Request = { readonly env: Env } & (
  | { readonly command: 'migrate' }
  | ({ readonly command: 'check' } & Checks)
  | { readonly command: 'status'; readonly json: boolean; readonly exitCode: boolean }
  | ({ readonly command: 'plan'; readonly exitCode: boolean } & Planning)
  | { readonly command: 'adopt'; readonly adopts: Adoptable; readonly isSure: boolean }
  | ({ readonly command: 'wait' } & Waits)
)

/** `rehearses`: runs it, and rolls it back. */
interface Planning {
  readonly format: PlanFormat
  readonly rehearses: boolean
}

const planFormats = ['text', 'json', 'markdown'] as const
export type PlanFormat = (typeof planFormats)[number]

/** Where a gate looks, and for an image without files what it waits for, as it was written. */
export interface Waits {
  readonly from: GateSource | undefined
  readonly version: string | undefined
}

/** `covers` prints the lines that say what the baseline stands for. */
export type Checks =
  | { readonly checks: 'folder'; readonly format: CheckFormat }
  | { readonly checks: 'baseline'; readonly format: CheckFormat }
  | { readonly checks: 'covers' }

type Options = Record<string, { type: 'boolean' | 'string' }>

const document = { json: { type: 'boolean' }, 'exit-code': { type: 'boolean' } } as const

/** The flags of each command beside those of the variables. */
const commands = {
  migrate: {},
  status: document,
  plan: { ...document, rehearse: { type: 'boolean' }, format: { type: 'string' } },
  check: { format: { type: 'string' }, baseline: { type: 'boolean' }, print: { type: 'boolean' } },
  wait: { from: { type: 'string' }, version: { type: 'string' } },
  adopt: {
    baseline: { type: 'boolean' },
    upto: { type: 'string' },
    file: { type: 'string' },
    forget: { type: 'string' },
    yes: { type: 'boolean' },
  },
} as const satisfies Record<string, Options>
type Command = keyof typeof commands

/** Command and flags; every `LOCKSTEP_*` variable is also a flag, which wins. Values are not echoed. */
export function readRequest(args: readonly string[], env: Env): Request | Failure {
  // As in most pods: the parser need not be loaded.
  if (args.length === 0) return { command: 'migrate', env }
  const word = commandOf(args)
  const own: Options = commands[word]
  const shared = [...variableOfFlag.keys()].filter((flag) => !Object.hasOwn(own, flag))
  const options: Options = {
    ...Object.fromEntries(shared.map((flag) => [flag, { type: 'string' as const }])),
    ...own,
  }
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const problems: string[] = []
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    const type = Object.hasOwn(options, name) ? options[name]?.type : undefined
    if (type === undefined) problems.push(notAFlag(name, rawName, Object.keys(options)))
    else if (type === 'string' && typeof value !== 'string')
      problems.push(`--${name} needs a value`)
    else if (type === 'boolean' && value !== undefined) problems.push(`--${name} takes no value`)
  }
  const [first = 'migrate', ...rest] = positionals
  if (first !== word || rest.length > 0) {
    const names = Object.keys(commands)
    const near = isCommand(first) ? undefined : nearest(first, names)
    problems.push(
      `there is one command, of ${names.join(', ')}${near === undefined ? '' : `; is ${near} meant?`}`,
    )
  }
  const adopts = word === 'adopt' ? adoptableOf(values) : undefined
  if (typeof adopts === 'string') problems.push(adopts)
  const check = word === 'check' ? checkOf(values) : undefined
  if (typeof check === 'string') problems.push(check)
  const planning = word === 'plan' ? planningOf(values) : undefined
  if (typeof planning === 'string') problems.push(planning)
  const waits = word === 'wait' ? waitsOf(values) : undefined
  if (typeof waits === 'string') problems.push(waits)
  if (problems.length > 0)
    return failureOfAll('CONFIG_INVALID', problems, ['lockstep --help lists commands and flags'])
  const flags = shared.flatMap((flag) => {
    const [name, value] = [variableOfFlag.get(flag), values[flag]]
    return name !== undefined && typeof value === 'string' ? [[name, value] as const] : []
  })
  const whole = { ...env, ...Object.fromEntries(flags) }
  const exitCode = values['exit-code'] === true
  if (word === 'status')
    return { command: 'status', env: whole, json: values['json'] === true, exitCode }
  if (typeof planning === 'object') return { command: 'plan', env: whole, exitCode, ...planning }
  if (typeof check === 'object') return { command: 'check', env: whole, ...check }
  if (typeof waits === 'object') return { command: 'wait', env: whole, ...waits }
  if (typeof adopts === 'object')
    return { command: 'adopt', env: whole, adopts, isSure: values['yes'] === true }
  return { command: 'migrate', env: whole }
}

/** Where to look and what for, or what is wrong with the flags. */
function waitsOf(values: Readonly<Record<string, unknown>>): Waits | string {
  const { from, version } = values
  const source = gateSources.find((candidate) => candidate === from)
  if (from !== undefined && source === undefined)
    return `--from is none of ${gateSources.join(', ')}`
  if (version === undefined) return { from: source, version: undefined }
  if (typeof version !== 'string' || !/^[0-9]{1,100}$/.test(version))
    return '--version is not the version of a file, as 0042'
  return { from: source, version }
}

/** What is to be checked and how it is told, or what is wrong with the flags. */
function checkOf(values: Readonly<Record<string, unknown>>): Checks | string {
  const { format = 'text', baseline, print } = values
  if (print === true) {
    if (baseline === true && values['format'] === undefined) return { checks: 'covers' }
    return '--print goes with --baseline, and without --format'
  }
  const known = checkFormats.find((candidate) => candidate === format)
  if (known === undefined) return `--format is none of ${checkFormats.join(', ')}`
  return { checks: baseline === true ? 'baseline' : 'folder', format: known }
}

/** How a plan is told, or what is wrong with the flags. */
function planningOf(values: Readonly<Record<string, unknown>>): Planning | string {
  const { json, rehearse } = values
  const { format = json === true ? 'json' : 'text' } = values
  const known = planFormats.find((candidate) => candidate === format)
  if (known === undefined) return `--format is none of ${planFormats.join(', ')}`
  if (json === true && known !== 'json') return '--json and --format say two things'
  return { format: known, rehearses: rehearse === true }
}

/** The command, wherever it stands, since its flags say which words are values. */
function commandOf(args: readonly string[]): Command {
  return (
    args.filter((_, at) => !takesValue(args[at - 1] ?? '')).find((arg) => isCommand(arg)) ??
    'migrate'
  )
}

function takesValue(arg: string): boolean {
  return arg.startsWith('--') && !arg.includes('=') && !plain.has(arg)
}

/** Flags without a value, whatever the command. */
const plain: ReadonlySet<string> = new Set(['--json', '--exit-code', '--yes', '--rehearse'])

function isCommand(word: string): word is Command {
  return Object.hasOwn(commands, word)
}

function notAFlag(name: string, written: string, known: readonly string[]): string {
  const owners = Object.entries(commands).filter(([, flags]) => Object.hasOwn(flags, name))
  if (owners.length > 0)
    return `--${name} belongs to ${owners.map(([command]) => command).join(' and ')}`
  const near = nearest(name, known)
  return `${written} is not a flag${near === undefined ? '' : `; is --${near} meant?`}`
}

/** What is to be adopted, or what is wrong with the flags. */
function adoptableOf(values: Readonly<Record<string, unknown>>): Adoptable | string {
  const found: Adoptable[] = []
  const { baseline, upto, file, forget } = values
  if (baseline === true) found.push({ what: 'baseline' })
  if (typeof upto === 'string') {
    const digits = /^([0-9]+)(?:_.*)?$/.exec(upto)?.[1]
    if (digits === undefined) return '--upto is not the version of a file, as 0042'
    found.push({ what: 'upto', version: BigInt(digits) })
  }
  if (typeof file === 'string') found.push({ what: 'file', name: file })
  if (typeof forget === 'string') found.push({ what: 'forget', name: forget })
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  return 'adopt wants one of --baseline, --upto VERSION, --file NAME, --forget NAME'
}
