import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import type { Failure } from '../failure.ts'
import type { Outcome } from '../events.ts'
import { printable } from '../printable.ts'
import { lineOf } from './lines.ts'

/** Kubernetes keeps 4,096 bytes for each container. */
const mostBytes = 4_000

/** Where Kubernetes looks, unless a pod says otherwise. */
export const terminationLog = '/dev/termination-log'

/**
 * What `kubectl describe pod` shows: why it failed, and the last line of the log. If there is too much,
 * lines between these are left out, the last first.
 */
export function terminationText(outcome: Outcome, durationMs: number): string {
  const last = `done ${lineOf({ checkpoint: 'done', outcome, durationMs }).text}`
  if (outcome.kind !== 'failed') return last
  const lines = linesOf(outcome.failure)
  while (lines.length > 1 && bytesOf([...lines, last]) > mostBytes) lines.pop()
  const [first = ''] = lines
  const room = mostBytes - bytesOf([last]) - 1
  if (lines.length === 1 && Buffer.byteLength(first) > room) lines[0] = clipped(first, room)
  return [...lines, last].join('\n')
}

function linesOf(failure: Failure): string[] {
  const { text, more } = lineOf({ checkpoint: 'failed', failure })
  return [`failed ${text}`, ...more].map(printable)
}

function bytesOf(lines: readonly string[]): number {
  return Buffer.byteLength(lines.join('\n'))
}

function clipped(text: string, bytes: number): string {
  const ellipsis = '…'
  const kept = Buffer.from(text).subarray(0, bytes - Buffer.byteLength(ellipsis) - 1)
  // A character that was cut through is shown as one that is missing.
  return `${kept.toString().replace(/\uFFFD+$/, '')}${ellipsis}`
}

/** Into a file that is there: nowhere else does anybody look for one. Never throws. */
export function leaveTermination(path: string, text: string): void {
  try {
    const file = openSync(path, 'r+')
    try {
      ftruncateSync(file)
      writeSync(file, text)
    } finally {
      closeSync(file)
    }
  } catch {
    // No container, or one that may not write there.
  }
}
