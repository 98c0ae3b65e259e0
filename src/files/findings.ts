/** Something in a file that a person should know of, with its place. */
export interface Finding {
  readonly rule: Rule
  /** In code units of the text. */
  readonly at: number
  /** Without the statement's own words. */
  readonly reason: string
  readonly remedy: string
}

/** Errors are refused before anything runs; warnings only `lockstep check` tells. */
export const rules = {
  directive: 'error',
  'transaction-control': 'error',
  'not-in-transaction': 'error',
  'copy-client': 'error',
  'psql-command': 'error',
  'session-state': 'error',
  'open-end': 'error',
  'breaks-while-rolling': 'warning',
} as const satisfies Record<string, 'error' | 'warning'>

export type Rule = keyof typeof rules

export function isError({ rule }: Finding): boolean {
  return rules[rule] === 'error'
}
