import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder of files for one test, removed when the scope is left. */
export interface TestFolder extends Disposable {
  readonly path: string
  write(files: Readonly<Record<string, string | Buffer>>): void
  remove(...files: string[]): void
}

export function folderOf(files: Readonly<Record<string, string | Buffer>>): TestFolder {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-sql-'))
  const write = (more: Readonly<Record<string, string | Buffer>>): void => {
    for (const [name, content] of Object.entries(more)) writeFileSync(join(path, name), content)
  }
  write(files)
  return {
    path,
    write,
    remove: (...names) => {
      for (const name of names) rmSync(join(path, name))
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
