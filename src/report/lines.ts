import { failures } from '../errors.ts'
import type { Event, GuardedTable, Outcome } from '../events.ts'
import { effectsText, guardedText, inlineOrBelow } from './effects-text.ts'
import { blockerText, count, doing, duration, seconds } from '../phrases.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** An event for people: one line, and lines that belong below it. Pure. */
export interface Line {
  readonly level: Level
  readonly text: string
  readonly more: readonly string[]
}

/** @param width - to which names of files are padded, so that a column forms; 0 for none */
export function lineOf(event: Event, width = 0): Line {
  switch (event.checkpoint) {
    case 'start':
      return info(`lockstep ${event.programVersion}, run ${event.run}, ${event.command}`)
    case 'files': {
      const baseline = event.baseline === undefined ? '' : `, baseline ${event.baseline}`
      return info(`${event.files} in ${event.dir}, ${range(event.first, event.last)}${baseline}`)
    }
    case 'database':
      return info(
        `${event.address} as ${event.user}, PostgreSQL ${event.serverVersion}, ${event.encryption}`,
      )
    case 'found':
      if (event.objects === 0) return info('no tables: an empty database')
      return info(`${count(event.tables, 'table')}, ${count(event.objects, 'object')} in all`)
    case 'waiting': {
      const since = event.waitedMs < 1000 ? '' : `, for ${seconds(event.waitedMs)}`
      return warn(`${event.reason}${since}`, event.more)
    }
    case 'lock':
      return info(event.waitedMs < 100 ? 'taken' : `taken after ${seconds(event.waitedMs)}`)
    case 'plan':
      return info(planText(event.covered, event.pending))
    case 'running':
      return info(
        [`${event.file} for ${seconds(event.runningMs)}`, doing(event) ?? []].flat().join(': '),
      )
    case 'blocked': {
      const { mode, on } = event.waitsFor ?? {}
      const lock = mode === undefined ? 'a lock' : `${mode} on ${on}`
      return warn(`${event.file} waits for ${lock}`, event.blockers.map(blockerText))
    }
    case 'retry':
      return warn(
        `${event.reason}: again in ${seconds(event.pauseMs)}, for at most ${seconds(event.leftMs)} more`,
        event.blockers.map((blocker) => `in the way: ${blockerText(blocker)}`),
      )
    case 'lost': {
      const where = event.file === undefined ? '' : ` inside ${event.file}`
      return warn(`${event.reason}${where}; the ledger will say what is applied`, [])
    }
    case 'step': {
      const { file, ordinal, of, how, kind, durationMs } = event
      const what = how === 'alone' ? `, ${kind},` : ''
      const text = `${file}: statement ${ordinal} of ${of}${what} in ${duration(durationMs)}`
      return { level: how === 'alone' ? 'info' : 'debug', text, more: [] }
    }
    case 'applied': {
      const covers = event.covers > 0 ? `, stands for ${count(event.covers, 'file')}` : ''
      const warned = event.warnings > 0 ? `, ${count(event.warnings, 'warning')} of the server` : ''
      const { inline, below } = inlineOrBelow(effectsText(event.effects, event.allowed))
      const took = duration(event.durationMs)
      return info(`${event.file.padEnd(width)} in ${took}${covers}${warned}${inline}`, below)
    }
    case 'guard':
      return info(guardText(event.tables, event.missing))
    case 'note':
      return info(event.text)
    case 'warning':
      return warn(event.text, [])
    case 'verified': {
      const { files, head } = event
      const all = files === 1 ? `the file ${head}` : `all ${files} files, up to ${head}`
      return info(`the ledger shows ${all}${verifiedRows(event.guarded)}`)
    }
    case 'published': {
      const version = event.version === '' ? 'no file' : event.version
      return info(`${event.target}: ${event.state}, ${version}`)
    }
    case 'failed':
      return { level: 'error', text: event.failure.message, more: event.failure.more }
    case 'done':
      return doneLine(event.outcome, event.durationMs)
  }
}

function doneLine(outcome: Outcome, durationMs: number): Line {
  const took = `in ${(durationMs / 1000).toFixed(2)} s, exit`
  switch (outcome.kind) {
    case 'nothing-to-do':
      return info(`nothing to do: ${count(outcome.files, 'file')} applied already, ${took} 0`)
    case 'applied': {
      const { applied, covered } = outcome
      const parts = covered > 0 ? ` (${covered} by the baseline, ${applied} applied)` : ' applied'
      return info(`${count(covered + applied, 'file')}${parts} ${took} 0`)
    }
    case 'adopted': {
      const { rows, isNothing, isWritten } = outcome
      if (isNothing) return info(`nothing to adopt: the ledger says so already, ${took} 0`)
      if (!isWritten) return info(`nothing is written: add --yes to do it, ${took} 0`)
      return info(`written into the ledger, ${count(rows, 'row')} added, ${took} 0`)
    }
    case 'ready': {
      const { files, ahead } = outcome
      const many =
        files === 1 ? 'the file that this image needs is' : `all ${files} files of this image are`
      const more =
        ahead.length === 0 ? '' : `, the schema is ahead by ${count(ahead.length, 'file')}`
      return info(`ready: ${many} applied${more}, ${took} 0`)
    }
    case 'failed': {
      const { code, exit } = outcome.failure
      const retry = failures[code].exit === 75 ? 'a retry may help' : 'a retry will not help'
      return { level: 'error', text: `${code}, ${retry}, exit ${exit}`, more: [] }
    }
  }
}

function planText(covered: readonly string[], pending: readonly string[]): string {
  const files = pending.length === 0 ? 'no file' : count(pending.length, 'file')
  const [first = '', last = first] = [pending[0], pending.at(-1)]
  if (covered.length > 0) {
    return `baseline for ${range(covered[0] ?? '', covered.at(-1) ?? '')}, then ${files}`
  }
  return pending.length === 0 ? files : `${files}, ${range(first, last)}`
}

/** Versions are enough where there are many: `0001 to 0016`; a single file is named whole. */
function range(first: string, last: string): string {
  return first === last ? first : `${versionOf(first)} to ${versionOf(last)}`
}

function versionOf(file: string): string {
  return file.split('_')[0] ?? file
}

function guardText(tables: readonly GuardedTable[], missing: readonly string[]): string {
  const absent = missing.length === 0 ? [] : [`${missing.join(', ')} not there yet`]
  const parts = [...(tables.length > 0 ? [guardedText(tables)] : []), ...absent]
  return parts.length > 0
    ? parts.join('; ')
    : 'no table is guarded: LOCKSTEP_GUARD_TABLES names none'
}

function verifiedRows(guarded: readonly GuardedTable[]): string {
  return guarded.length === 0 ? '' : `; guarded rows: ${guardedText(guarded)}`
}

function info(text: string, more: readonly string[] = []): Line {
  return { level: 'info', text, more }
}

function warn(text: string, more: readonly string[]): Line {
  return { level: 'warn', text, more }
}
