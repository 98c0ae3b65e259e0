import { type FailureCode } from './errors.ts'
import { failureOfAll, type Failure } from './failure.ts'

export interface Refused {
  readonly kind: 'refused'
  readonly failure: Failure
}

/** All problems of one kind in one report, then the ways on; by default the one of the code. */
export function refused(
  code: FailureCode,
  problems: readonly string[],
  waysOn?: readonly string[],
): Refused {
  return { kind: 'refused', failure: failureOfAll(code, problems, waysOn) }
}

/** A failure as documents carry it. */
export type FailureDocument = Pick<Failure, 'code' | 'message' | 'more'>

export function failureDocument({ code, message, more }: Failure): FailureDocument {
  return { code, message, more }
}

/** The first five, and whether there are more. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5)
  return names.length > shown.length ? `${shown.join(', ')}, ...` : shown.join(', ')
}
