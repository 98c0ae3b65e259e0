/** A table as people write it, folded and unquoted as PostgreSQL does. */
export interface TableName {
  /** Undefined: whatever the connection's search_path finds first. */
  readonly schema: string | undefined
  readonly name: string
}

/** A table, or all tables of a schema (`crm.*`), or all there are (`*`). */
export interface TablePattern extends TableName {
  /** Then the name is `*`; a quoted `"*"` is a table. */
  readonly isAll: boolean
}

const part = String.raw`(?:"(?:[^"\0]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)`
const pattern = new RegExp(String.raw`^(?:(${part})\s*\.\s*)?(${part}|\*)$`, 'u')
/** What is longer PostgreSQL would cut, and find another table. */
const longestBytes = 63

/** Undefined where it is neither. */
export function readTablePattern(text: string): TablePattern | undefined {
  const [, schema, name] = pattern.exec(text.trim()) ?? []
  if (name === undefined) return undefined
  const read = {
    schema: schema === undefined ? undefined : folded(schema),
    name: folded(name),
    isAll: name === '*',
  }
  const isLong = Buffer.byteLength(read.name) > longestBytes
  return isLong || Buffer.byteLength(read.schema ?? '') > longestBytes ? undefined : read
}

export function readTableName(text: string): TableName | undefined {
  const read = readTablePattern(text)
  return read === undefined || read.isAll ? undefined : { schema: read.schema, name: read.name }
}

/** Parts of a list, at the commas outside of quotes. */
export function splitList(text: string): string[] {
  return text.match(/(?:"(?:[^"]|"")*"|[^,])+/g)?.map((item) => item.trim()) ?? []
}

/** The same name for SQL: quoted, so that nothing folds it again. */
export function sqlName({ schema, name }: TableName): string {
  return [...(schema === undefined ? [] : [schema]), name].map(quoted).join('.')
}

function folded(word: string): string {
  return word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase()
}

function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}
