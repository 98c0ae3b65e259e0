import { Cursor } from './cursor.ts'
import type { Finding } from './findings.ts'
import type { Token } from './statements.ts'

/** What a setting may be set to; all others may be anything, and are reset behind the file. */
const settings: Readonly<Record<string, { readonly allowed: RegExp; readonly why: string }>> = {
  track_counts: {
    allowed: /^(?:on|true|yes|1|t|y|default)$/i,
    why: 'without it nobody can tell which rows are lost',
  },
  client_encoding: {
    allowed: /^(?:utf-?8|unicode|default)$/i,
    why: 'files are UTF-8',
  },
  transaction_read_only: {
    allowed: /^(?:off|false|no|0|f|n|default)$/i,
    why: 'the row of the file could not be written',
  },
  standard_conforming_strings: {
    allowed: /^(?:on|true|yes|1|t|y|default)$/i,
    why: 'a file is read once, with backslashes that are characters',
  },
}

/** What would change the session in a way that no reset behind the file can mend. */
export function sessionFinding(text: string, tokens: readonly Token[]): Finding[] {
  const [first, second] = tokens
  const at = first?.start ?? 0
  if (first?.kind !== 'word') return []
  if (first.text === 'DISCARD' && second?.text === 'ALL') {
    return [found(at, 'DISCARD ALL takes the lock of the run away', 'take it out')]
  }
  if (first.text === 'SET') {
    const set = setOf(text, tokens)
    const problem = set && settingFinding(at, set.name, set.value)
    return problem ? [problem] : []
  }
  return callFindings(text, tokens)
}

function found(at: number, reason: string, remedy: string): Finding {
  return { rule: 'session-state', at, reason, remedy }
}

function setOf(
  text: string,
  tokens: readonly Token[],
): { name: string; value: string } | undefined {
  const at = new Cursor(text, tokens)
  at.takes('SET')
  if (!at.takes('LOCAL')) at.takes('SESSION')
  if (at.takes('NAMES')) return { name: 'client_encoding', value: at.value() || 'default' }
  const name = at.name()
  if (!at.takesMark('=') && !at.takes('TO')) return undefined
  return { name, value: at.value() }
}

function settingFinding(at: number, name: string, value: string): Finding | undefined {
  const setting = Object.hasOwn(settings, name) ? settings[name] : undefined
  if (setting === undefined || setting.allowed.test(value)) return undefined
  return found(at, `it changes ${name}: ${setting.why}`, 'take it out')
}

/** Functions that are called by name, where that is plain to see: not within a body or a string. */
function callFindings(text: string, tokens: readonly Token[]): Finding[] {
  return tokens.flatMap((token, index): Finding[] => {
    const isCall = (name: string): boolean =>
      tokens[index + 1]?.text === '(' &&
      (token.kind === 'word' ? token.text.toLowerCase() === name : token.text === `"${name}"`)
    if (isCall('pg_advisory_unlock_all')) {
      const remedy = 'unlock the keys that the file has locked, one by one'
      return [found(token.start, 'pg_advisory_unlock_all takes the lock of the run away', remedy)]
    }
    if (!isCall('set_config')) return []
    const at = new Cursor(text, tokens.slice(index + 2))
    const name = at.value().toLowerCase()
    if (!at.takesMark(',')) return []
    const problem = settingFinding(token.start, name, at.value())
    return problem === undefined ? [] : [problem]
  })
}
