import { Cursor } from './cursor.ts'
import { tokensOf, type Statement, type Token } from './statements.ts'

/** What belongs to the server and not to one of its databases. */
const shared = ['ROLE', 'USER', 'GROUP', 'DATABASE', 'TABLESPACE', 'SUBSCRIPTION'] as const

/**
 * Whether a statement changes what other databases of the server share, in words: it would do so from
 * a scratch database, too. Not what a DO block or a function hides.
 */
export function reachesBeyond(text: string, statement: Statement): string | undefined {
  const tokens = tokensOf(text, statement)
  const at = new Cursor(text, tokens)
  if (at.takes('ALTER', 'SYSTEM')) return 'ALTER SYSTEM'
  if (at.takes('REASSIGN', 'OWNED')) return 'REASSIGN OWNED'
  if (at.takes('DROP', 'OWNED')) return 'DROP OWNED'
  for (const verb of ['CREATE', 'ALTER', 'DROP'] as const) {
    if (!at.takes(verb)) continue
    const what = shared.find((word) => at.takes(word))
    return what === undefined || at.takes('MAPPING') ? undefined : `${verb} ${what}`
  }
  if (at.takes('COMMENT', 'ON')) {
    const what = shared.find((word) => at.takes(word))
    return what === undefined ? undefined : `COMMENT ON ${what}`
  }
  for (const verb of ['GRANT', 'REVOKE'] as const) {
    if (at.takes(verb)) return granted(verb, tokens)
  }
  return undefined
}

/** Without ON it is about the membership in a role. */
function granted(verb: string, tokens: readonly Token[]): string | undefined {
  const on = tokens.findIndex(({ kind, text }) => kind === 'word' && text === 'ON')
  if (on === -1) return `${verb} of a role`
  const what = tokens[on + 1]?.text ?? ''
  return /^(?:DATABASE|TABLESPACE|PARAMETER)$/.test(what) ? `${verb} ON ${what}` : undefined
}
