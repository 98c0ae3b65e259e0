import { readFileSync, statSync } from 'node:fs'

/** Host, port, database and user, as a line of the file names them. */
export type Login = readonly [host: string, port: string, database: string, user: string]

/** Folders that are the default ones of servers: there a line says `localhost`. */
const defaultSocketFolders = new Set(['/tmp', '/run/postgresql', '/var/run/postgresql'])

/**
 * The password in the first line that fits, of the text of a password file: five fields with colons
 * between them, `*` for anything, a backslash before a colon or a backslash that is meant. PostgreSQL
 * manual, 34.16. A comment begins with #, as no host does.
 */
export function passwordIn(text: string, login: Login): string | undefined {
  const [host, ...others] = login
  const wanted = [defaultSocketFolders.has(host) ? 'localhost' : host, ...others]
  for (const line of text.split(/\r?\n/)) {
    const fields = [...line.matchAll(/((?:\\.|[^:])*)(?::|$)/g)].map(([, field = '']) => field)
    const fits = wanted.every((value, index) => {
      const field = fields[index]
      return field === '*' || (field !== undefined && unescaped(field) === value)
    })
    if (fits) return unescaped(fields[wanted.length] ?? '')
  }
  return undefined
}

function unescaped(field: string): string {
  return field.replaceAll(/\\(.)/g, '$1')
}

export interface PasswordFile {
  readonly text: string | undefined
  readonly warning: string | undefined
}

/**
 * Reads a password file; one that others may read is not used, as in libpq.
 *
 * @param isNamed - somebody named it, so that its absence is worth a word
 */
export function readPasswordFile(path: string, isNamed: boolean): PasswordFile {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) return unused('it is not a regular file')
    if ((stat.mode & 0o077) !== 0)
      return unused('it has group or world access; its mode should be 0600 or less')
    return { text: readFileSync(path, 'utf8'), warning: undefined }
  } catch {
    return isNamed ? unused('it cannot be read') : { text: undefined, warning: undefined }
  }
}

function unused(why: string): PasswordFile {
  return { text: undefined, warning: `the password file is not used: ${why}` }
}
