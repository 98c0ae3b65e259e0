import { defaults, meaningOf, variableOfFlag } from './config.ts'
import { programVersion } from './version.ts'

/** What `--help` prints; names, defaults and meanings are those of `config.ts`. */
export function helpText(): string {
  const rows = Object.entries(defaults).map(([name, value]): [string, string, string] => {
    return [name, value, meaningOf(name)]
  })
  const nameWidth = Math.max(...rows.map(([name]) => name.length))
  const defaultWidth = Math.max(...rows.map(([, value]) => value.length))
  const table = rows.map(([name, value, meaning]) => {
    return `  ${name.padEnd(nameWidth)}  ${value.padEnd(defaultWidth)}  ${meaning.replaceAll('`', '')}`
  })
  const [flag = ''] = variableOfFlag.keys()
  return `lockstep ${programVersion}

Keeps a PostgreSQL schema in step with a folder of SQL files.

  lockstep [migrate]                      apply what is pending, then exit
  lockstep status [--json] [--exit-code]  show what is applied, pending, under way or wrong;
                                          with --exit-code 2 where something is pending
  lockstep --help | --version

Environment:

  DATABASE_URL  postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full
                or PGHOST, PGPORT, PGUSER, PGPASSWORD and what else libpq knows;
                each also as ..._FILE, a file that holds the value

${table.join('\n')}

Every LOCKSTEP_* variable is also a flag, which wins: --${flag} for ${variableOfFlag.get(flag)}.
Durations are 500ms, 30s, 15m, 2h.

Exit codes: 0 done; 1 the migration failed; 64 the environment is wrong; 70 a defect of
Lockstep; 75 temporary, a retry may help; 2 only with status --exit-code.
`
}
