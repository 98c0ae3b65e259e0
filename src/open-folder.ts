import type { Config } from './config.ts'
import type { Tell } from './events.ts'
import { readFolder, type Folder } from './files/folder.ts'

/** Reads the folder, and tells what it holds. @throws {Failure} as `readFolder` */
export async function openFolder(
  { dir, maxFileBytes, addresses }: Pick<Config, 'dir' | 'maxFileBytes' | 'addresses'>,
  tell: Tell,
): Promise<Folder> {
  const folder = await readFolder(dir, maxFileBytes, addresses.length === 0)
  for (const text of folder.warnings) tell({ checkpoint: 'warning', text })
  tell({
    checkpoint: 'files',
    files: folder.files.length,
    dir: folder.dir,
    first: folder.files[0]?.file ?? '',
    last: folder.files.at(-1)?.file ?? '',
    baseline: folder.baseline?.version,
  })
  return folder
}
