import type { Folder } from './folder.ts'

/**
 * The header of a baseline that may outlive its files: a line for each file that it stands for,
 * those that are gone already included. Without a baseline yet it stands for all files.
 */
export function coverLines({ files, baseline }: Folder): string[] {
  const upto = baseline?.upto ?? files.at(-1)?.version ?? 0n
  const version = baseline?.version ?? /^[0-9]+/.exec(files.at(-1)?.file ?? '')?.[0] ?? '0'
  const here = new Set(files.map(({ file }) => file))
  const gone = (baseline?.covers ?? []).filter(({ file }) => !here.has(file))
  const entries = [...gone, ...files.filter((file) => file.version <= upto)]
  const inOrder = entries.toSorted((a, b) => (a.version < b.version ? -1 : 1))
  return [
    `-- lockstep: baseline ${version}`,
    ...inOrder.map(({ file, meaning }) => `-- lockstep: covers ${file} ${meaning.file}`),
  ]
}
