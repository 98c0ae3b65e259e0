import { nextTurn } from './pause.ts'
import type { Config } from './config.ts'
import type { Tell } from './events.ts'
import type { Folder } from './files/folder.ts'
import { LargeText } from './files/large.ts'
import { stretchesOf } from './files/text.ts'

/**
 * Reads the statements of large files, so that whoever asks for the meaning of one later need not
 * wait. A file whose bytes the ledger has is never cut into statements.
 *
 * @throws {Failure} FILE_CHANGED_MEANWHILE, FILE_CONTENT_INVALID; the reason of `stop`
 */
export async function readLargeFiles(
  { files, baseline }: Folder,
  rows: readonly { readonly checksum: string }[],
  { heartbeatMs }: Pick<Config, 'heartbeatMs'>,
  tell: Tell,
  stop: AbortSignal,
): Promise<void> {
  const all = rows.length === 0 && baseline !== undefined ? [baseline, ...files] : files
  for (const { text, checksum } of all) {
    if (!(text instanceof LargeText) || !text.isUnknown) continue
    if (rows.some((row) => row.checksum === checksum)) continue
    await keepYoungSmall()
    let toldMs = performance.now()
    let characters = 0
    for (const stretch of stretchesOf(text)) {
      characters += stretch.text.length
      if (performance.now() - toldMs >= heartbeatMs) {
        toldMs = performance.now()
        const percent = Math.min(99, Math.floor((100 * characters) / text.size))
        tell({ checkpoint: 'note', text: `reading ${text.file}: ${percent} %` })
      }
      await nextTurn()
      stop.throwIfAborted()
    }
  }
}

/**
 * V8 lets the space for young objects grow to 48 MB where much garbage is made, and as much again
 * outlives its use there. Of pieces that are sent and forgotten none needs to live so long: the peak
 * is 100 MB instead of 240, in no more time.
 */
async function keepYoungSmall(): Promise<void> {
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--semi-space-growth-factor=1')
}
