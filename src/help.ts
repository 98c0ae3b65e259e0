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
  lockstep plan [--json] [--exit-code]    show what would run, in order, and why it would be refused;
                                          reads only; with --exit-code 2 where something would run
  lockstep plan --rehearse                the same, and run it under the lock, statement by statement,
                                          in a transaction that is rolled back: time, locks, effects;
                                          --format json or markdown, for a pull request
  lockstep adopt ... [--yes]              take over what others have built; writes the ledger and
                                          runs no SQL: lockstep adopt --help
  lockstep wait [--from database]         the gate: returns when the schema has all that this image
                                          needs; --from configmap or file reads LOCKSTEP_STATUS;
                                          --version 0042 for an image without SQL files
  lockstep check [--format text]          what a run would refuse in the files, without a database;
                                          --format json for programs, github for pull requests
  lockstep check --baseline               the same, and in two scratch databases on the server,
                                          whether baseline.sql builds what the files build
  lockstep check --baseline --print       print the lines that say which files baseline.sql
                                          stands for; they may then be deleted
  lockstep --help | --version

Environment:

  DATABASE_URL  postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full
                or PGHOST, PGPORT, PGUSER, PGPASSWORD and what else libpq knows;
                each also as ..._FILE, a file that holds the value

${table.join('\n')}

Every LOCKSTEP_* variable is also a flag, which wins: --${flag} for ${variableOfFlag.get(flag)}.
Durations are 500ms, 30s, 15m, 2h.

Exit codes: 0 done; 1 the migration failed; 64 the environment is wrong; 70 a defect of
Lockstep; 75 temporary, a retry may help; 2 only with --exit-code of status and plan.
`
}

/** What `adopt --help` prints. */
export const adoptHelp = `lockstep adopt writes the ledger and runs no SQL.

It shows what it would write; with --yes it writes it, under the lock.

  lockstep adopt --baseline      the database is what baseline.sql builds: the files that it
                                 stands for are recorded as applied
  lockstep adopt --upto VERSION  the database has what the files up to this version build
  lockstep adopt --file NAME     an applied file was edited, and every database already is
                                 as it says now: it is no longer refused
  lockstep adopt --forget NAME   a half-done file begins again at its first statement; what its
                                 statements did stays, and must be undone by hand first

Environment and all other flags are those of lockstep --help.
`
