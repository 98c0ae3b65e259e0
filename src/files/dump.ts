import { splitStatements, tokensOf, type Statement } from './statements.ts'

/** Settings that pg_dump writes at the top of a dump, by the first major version that knows them. */
const newSettings: ReadonlyMap<string, number> = new Map([['TRANSACTION_TIMEOUT', 17]])

/**
 * A dump for an older server than the pg_dump that wrote it: a SET that this server does not know is
 * blanked, so that all that follows stays at its place.
 */
export function forMajor(text: string, major: number): string {
  let mended = text
  for (const statement of splitStatements(text).statements) {
    const [set, name] = words(text, statement, 2)
    // They stand at the top, before anything is made.
    if (set !== 'SET' && set !== 'SELECT') break
    if (set !== 'SET' || (newSettings.get(name ?? '') ?? 0) <= major) continue
    const { start, end } = statement
    mended = mended.slice(0, start) + blank(text.slice(start, end)) + mended.slice(end)
  }
  return mended
}

/** Whether a dump makes the ledger, which would then tell of another database. */
export function holdsLedger(text: string, schema: string): boolean {
  const names = new Set([schema.toUpperCase(), `"${schema.replaceAll('"', '""')}"`])
  if (!text.includes(schema)) return false
  return splitStatements(text).statements.some((statement) => {
    const [create, what, name] = words(text, statement, 3)
    return create === 'CREATE' && (what === 'SCHEMA' || what === 'TABLE') && names.has(name ?? '')
  })
}

function words(text: string, statement: Statement, most: number): string[] {
  return tokensOf(text, statement, most).map((token) => token.text)
}

function blank(text: string): string {
  return text.replace(/[^\r\n]/g, ' ')
}
