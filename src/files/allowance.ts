import { readTableName, type TableName } from './table-name.ts'

/** What a file may be allowed to do to a guarded table, in the words of `-- lockstep: allow`. */
export const allowanceWords = [
  'delete',
  'truncate',
  'drop',
  'drop-column',
  'retype',
  'rename',
  'detach',
  'unlogged',
] as const

export type AllowanceWord = (typeof allowanceWords)[number]

/** `-- lockstep: allow delete, truncate <= 40 on crm.leads` */
export interface Allowance {
  readonly words: readonly AllowanceWord[]
  /** Rows that may be lost; undefined for any number. */
  readonly atMost: number | undefined
  readonly table: TableName
  /** 1-based, of the file. */
  readonly line: number
}

const form = /^(.+?)(?:\s*<=\s*(\S+))?\s+on\s+(.+)$/is

/**
 * Reads what stands behind `allow` in a directive.
 *
 * @returns the allowance, or what is wrong with it
 */
export function readAllowance(rest: string, line: number): Allowance | string {
  const [, words = '', bound, on = ''] = form.exec(rest.trim()) ?? []
  if (on === '') return 'allow is written as: allow delete, truncate on leads'
  const table = readTableName(on)
  if (table === undefined) return 'allow names one table behind “on”: leads, crm.leads or "Leads"'
  const read = words.split(',').map((word) => word.trim().toLowerCase())
  const known = allowanceWords.filter((word) => read.includes(word))
  if (read.some((word) => !known.some((each) => each === word))) {
    return `allow knows the words ${allowanceWords.join(', ')}`
  }
  if (bound === undefined) return { words: known, atMost: undefined, table, line }
  if (!/^\d{1,15}$/.test(bound)) return 'the bound of allow is a number of rows: delete <= 40'
  if (!known.some((word) => word === 'delete' || word === 'truncate'))
    return 'a bound of rows belongs to delete and truncate only'
  return { words: known, atMost: Number(bound), table, line }
}

/** As it is written in a file. */
export function allowanceText({ words, atMost, table: { schema, name } }: Allowance): string {
  const bound = atMost === undefined ? '' : ` <= ${atMost}`
  return `allow ${words.join(', ')}${bound} on ${schema === undefined ? '' : `${schema}.`}${name}`
}
