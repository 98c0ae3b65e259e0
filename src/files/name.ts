/** The name of an SQL file, read: `0007_add_owner.sql` is version 7, name `add_owner`. */
export interface FileName {
  /** The whole name, which is the file's identity. */
  readonly file: string
  /** Digits of any width, compared as numbers: 7 comes before 10, whatever the padding. */
  readonly version: bigint
}

const shape = /^([0-9]+)_([A-Za-z0-9_.-]+)\.sql$/

export function parseFileName(file: string): FileName | undefined {
  const version = shape.exec(file)?.[1]
  return version === undefined ? undefined : { file, version: BigInt(version) }
}

/** Order of application: version, then whole name by code unit. Never by locale: hosts differ. */
export function compareNames(a: FileName, b: FileName): number {
  if (a.version !== b.version) return a.version < b.version ? -1 : 1
  if (a.file === b.file) return 0
  return a.file < b.file ? -1 : 1
}

/**
 * The name that a file of another tool's habit wants, `V1__a.sql` or `1-a.sql` for example, or
 * undefined where guessing the version would be wrong (`V1.2__a.sql`, `R__views.sql`).
 */
export function mendedName(file: string, width: number): string | undefined {
  if (file.toLowerCase() === 'baseline.sql') return 'baseline.sql'
  const parts = /^[Vv]?([0-9]+)(?:__?|[-. ]+)(.+)\.sql$/i.exec(file)
  const [, digits, rest] = parts ?? []
  if (digits === undefined || rest === undefined || /^[0-9]+(?:__|[._])/.test(rest))
    return undefined
  const name = rest.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^[_.-]+|[_.-]+$/g, '')
  return name === '' ? undefined : `${digits.padStart(width, '0')}_${name}.sql`
}

/** `name` for a shell: as it is where that is safe, else in single quotes. */
export function shellWord(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`
}
