import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readFolder } from '../../src/files/folder.ts'
import { setChecksum } from '../../src/predecessor.ts'
import { publishedOf, textOf, type Published } from '../../src/published.ts'

/** What a run of these files publishes that has applied all of them but those. */
export async function statusText(
  dir: string,
  { without = [], ...more }: Partial<Published> & { readonly without?: readonly string[] } = {},
): Promise<string> {
  const folder = await readFolder(dir, 2 ** 30)
  const facts = {
    state: 'succeeded',
    database: '0123456789abcdef',
    run: 'cafe0123',
    set: setChecksum(folder),
    program: '1.2.3',
    started: new Date().toISOString(),
    ...more,
  } as const
  const rows = folder.files
    .filter(({ file }) => !without.includes(file))
    .map(({ file, checksum, meaning, directives }) => ({
      name: file,
      checksum,
      meanings: [meaning.file],
      breaksBefore: directives.breaksBefore?.toString() ?? null,
      how: 'transaction',
    }))
  return textOf(publishedOf(facts, rows))
}

/** A ConfigMap as a volume: its keys are links through `..data`, which is swapped when it changes. */
export function volume() {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-volume-'))
  let generation = 0
  const put = (keys: Readonly<Record<string, string>>): void => {
    generation += 1
    const name = `..2026_${generation}`
    mkdirSync(join(path, name))
    for (const [key, text] of Object.entries(keys)) writeFileSync(join(path, name, key), text)
    symlinkSync(name, join(path, '..data_tmp'))
    renameSync(join(path, '..data_tmp'), join(path, '..data'))
    for (const key of Object.keys(keys)) {
      rmSync(join(path, key), { force: true })
      symlinkSync(join('..data', key), join(path, key))
    }
  }
  put({})
  return {
    file: join(path, 'status.json'),
    put,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
