import { spawnSync } from 'node:child_process'
import { accessSync, constants, globSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Psql {
  readonly path: string
  /** `15.18`. */
  readonly version: string
}

/** The newest psql that is a program itself, or why there is none. */
export function findPsql(): Psql | string {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'psql'))
  const paths = [
    ...globSync('/usr/lib/postgresql/*/bin/psql'),
    ...globSync('/opt/homebrew/opt/{libpq,postgresql@*}/bin/psql'),
    ...onPath,
  ].filter(isProgram)
  const found = paths.flatMap((path) => {
    const said = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout
    const version = /\d+(\.\d+)*/.exec(said)?.[0]
    return version === undefined ? [] : [{ path, version }]
  })
  const newest = found.toSorted(
    (a, b) => Number.parseFloat(b.version) - Number.parseFloat(a.version),
  )
  return newest[0] ?? 'there is no psql here (Debian: apt-get install postgresql-client)'
}

/** On Debian `psql` is a Perl script that looks for the real one, and takes longer than that does. */
function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return readFileSync(path).subarray(0, 2).toString('latin1') !== '#!'
  } catch {
    return false // not there, or not for us
  }
}
