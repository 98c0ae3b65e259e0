import type { Database } from './database.ts'
import { folderOf } from './folder.ts'
import { runProgram, type Ran } from './program.ts'

/** Runs the program on a folder of these files. */
export async function migrateFiles(
  db: Pick<Database, 'url'>,
  files: Readonly<Record<string, string | Buffer>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  using folder = folderOf(files)
  return await runProgram({
    env: { DATABASE_URL: db.url, LOCKSTEP_DIR: folder.path, ...env },
    form: 'bundle',
  })
}
