import { splitStatements, tokensOf, type Statement } from './statements.ts'
import { stretchesOf, type Text } from './text.ts'

/** Settings that pg_dump writes at the top of a dump, by the first major version that knows them. */
const newSettings: ReadonlyMap<string, number> = new Map([['TRANSACTION_TIMEOUT', 17]])

/**
 * A dump for an older server than the pg_dump that wrote it: each SET that this server does not know,
 * to be blanked, so that all that follows stays at its place.
 *
 * @param text - or as much of it as has the settings at its top
 */
export function newerThan(major: number, text: string): Statement[] {
  const newer: Statement[] = []
  for (const statement of splitStatements(text).statements) {
    const [set, name] = words(text, statement, 2)
    // They stand at the top, before anything is made.
    if (set !== 'SET' && set !== 'SELECT') break
    if (set === 'SET' && (newSettings.get(name ?? '') ?? 0) > major) newer.push(statement)
  }
  return newer
}

/** Whether a dump makes the ledger, which would then tell of another database. */
export function holdsLedger(whole: Text, schema: string): boolean {
  const names = new Set([schema.toUpperCase(), `"${schema.replaceAll('"', '""')}"`])
  for (const { text, statements } of stretchesOf(whole)) {
    if (!text.includes(schema)) continue
    const isFound = statements.some((statement) => {
      const [create, what, name] = words(text, statement, 3)
      return create === 'CREATE' && (what === 'SCHEMA' || what === 'TABLE') && names.has(name ?? '')
    })
    if (isFound) return true
  }
  return false
}

function words(text: string, statement: Statement, most: number): string[] {
  return tokensOf(text, statement, most).map((token) => token.text)
}
