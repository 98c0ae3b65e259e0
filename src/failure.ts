import { type FailureCode, failures } from './errors.ts'

/** Whatever ends a run. Its message may be shown to anybody: no credential, row value, statement. */
export class Failure extends Error {
  readonly code: FailureCode
  /** Lines for people after the message: what is kept, what to do next. Never empty. */
  readonly more: readonly string[]

  constructor(code: FailureCode, message: string, more: readonly string[] = [failures[code].todo]) {
    super(message)
    this.code = code
    this.more = more
  }

  get exit(): number {
    return failures[this.code].exit
  }
}

/** One failure for all problems of a kind: the first in the message, the others below it, then what to do. */
export function failureOfAll(
  code: FailureCode,
  problems: readonly string[],
  todo: readonly string[] = [failures[code].todo],
): Failure {
  const [first = '', ...others] = problems
  return new Failure(code, first, [...others, ...todo])
}

/** Anything thrown, as a failure: what is not one already is a defect, told without its values. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown
  const where = thrown instanceof Error ? stackPlaces(thrown) : []
  const name = thrown instanceof Error ? thrown.constructor.name : typeof thrown
  return new Failure(
    'DEFECT',
    `an unexpected ${name}${where.length > 0 ? ` at ${where[0]}` : ''}`,
    [...where.slice(1, 4).map((place) => `from ${place}`), failures.DEFECT.todo],
  )
}

/** Places of the program in a stack, without folders and without the message: it may hold a secret. */
function stackPlaces({ stack = '', message }: Error): string[] {
  const frames = message === '' ? stack : (stack.split(message).at(-1) ?? '')
  return [...frames.matchAll(/^\s+at .*?([\w.-]+\.[cm]?[jt]s):(\d+):(\d+)\)?$/gm)].map(
    ([, file, line, column]) => `${file}:${line}:${column}`,
  )
}
