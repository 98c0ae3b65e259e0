import { bareKind, type Bare } from './bare.ts'
import { tokensOf, type Statement } from './statements.ts'

/** A statement that PostgreSQL refuses in a transaction, or may refuse there: what it calls may commit. */
export type Lone = Bare | { readonly kind: 'call' | 'do'; readonly certainty: 'depends' }

/**
 * What people call them. The closed list of kinds: `docs/no-transaction.md` says of each how one
 * sees afterwards whether it was done, and a test holds the two equal.
 */
export const loneKinds: Readonly<Record<Lone['kind'], string>> = {
  'create-index': 'CREATE INDEX CONCURRENTLY',
  'drop-index': 'DROP INDEX CONCURRENTLY',
  reindex: 'REINDEX',
  'detach-partition': 'DETACH PARTITION CONCURRENTLY',
  vacuum: 'VACUUM',
  cluster: 'CLUSTER',
  'create-database': 'CREATE DATABASE',
  'drop-database': 'DROP DATABASE',
  'move-database': 'ALTER DATABASE SET TABLESPACE',
  'create-tablespace': 'CREATE TABLESPACE',
  'drop-tablespace': 'DROP TABLESPACE',
  'alter-system': 'ALTER SYSTEM',
  'create-subscription': 'CREATE SUBSCRIPTION',
  'alter-subscription': 'ALTER SUBSCRIPTION',
  'drop-subscription': 'DROP SUBSCRIPTION',
  call: 'CALL',
  do: 'DO',
}

/** Names and options stand at the beginning; the rest may be long. */
const mostTokens = 200

export function loneOf(text: string, statement: Statement): Lone | undefined {
  const tokens = tokensOf(text, statement, mostTokens)
  const first = tokens[0]?.text
  if (first === 'CALL') return { kind: 'call', certainty: 'depends' }
  if (first === 'DO') return { kind: 'do', certainty: 'depends' }
  return bareKind(text, tokens)
}

/** Whether it sets something for the statements behind it: SET and RESET, but not SET LOCAL. */
export function isSetting(text: string, statement: Statement): boolean {
  const [first, second] = tokensOf(text, statement, 2)
  if (first?.text === 'RESET') return true
  return first?.text === 'SET' && !/^(LOCAL|TRANSACTION|CONSTRAINTS)$/.test(second?.text ?? '')
}

/** Of CREATE INDEX all that stands behind the name of the table: method, columns, options, condition. */
export function definitionOf(statement: string): { isUnique: boolean; definition: string } {
  const tokens = tokensOf(statement, { start: 0, end: statement.length })
  const on = tokens.findIndex(({ kind, text }) => kind === 'word' && text === 'ON')
  const begin = tokens.slice(on).find(({ kind, text }) => {
    return (kind === 'word' && text === 'USING') || (kind === 'mark' && text === '(')
  })
  return {
    isUnique: tokens[1]?.text === 'UNIQUE',
    definition: begin === undefined ? '' : statement.slice(begin.start),
  }
}
