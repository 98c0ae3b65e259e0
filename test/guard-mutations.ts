import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer } from './support/server.ts'

/**
 * Takes each condition of the guard out in turn, in a copy of the sources, and runs the rows of the
 * truth table that should fail then: `make test-guard-mutations`. A condition that nobody misses is
 * none, or has no test.
 */
interface Mutation {
  readonly without: string
  readonly file: string
  readonly text: string
  readonly becomes: string
  /** Rows of the truth table, by what they do; of another test file the file. */
  readonly failing: string
  readonly test?: string
}

const look = 'src/postgres/guard-look.ts'
const watch = 'src/postgres/guard-watch.ts'
const judge = 'src/postgres/guard-judge.ts'
const exact = 'src/postgres/guard-exact.ts'
const around = 'src/postgres/envelope.ts'

const mutations: readonly Mutation[] = [
  {
    without: 'rows deleted',
    file: look,
    text: 'is_suspicious or deleted > 0 or',
    becomes: 'is_suspicious or',
    failing: '^DELETE of',
  },
  {
    without: 'dropped',
    file: judge,
    text: 'from seen_tables where is_gone',
    becomes: 'from seen_tables where false',
    failing: '^DROP TABLE$',
  },
  {
    without: 'a new file of the table',
    file: look,
    text: 'or was.file <> is_now.file\n',
    becomes: '\n',
    failing: '^TRUNCATE$',
  },
  {
    without: 'renamed',
    file: look,
    text: 'or was.name <> is_now.name',
    becomes: '',
    failing: 'RENAME, and a view',
  },
  {
    without: 'moved to another schema',
    file: look,
    text: 'or was.space <> is_now.space or',
    becomes: 'or',
    failing: '^SET SCHEMA',
  },
  {
    without: 'a schema renamed',
    file: look,
    text: 'is_suspicious := true;',
    becomes: 'null;',
    failing: 'ALTER SCHEMA',
  },
  {
    without: 'unlogged',
    file: judge,
    text: `relpersistence = 'u'`,
    becomes: 'false',
    failing: '^SET UNLOGGED$',
  },
  {
    without: 'a column dropped',
    file: look,
    text: 'where not exists (\n                  select from pg_attribute',
    becomes: 'where false and not exists (\n                  select from pg_attribute',
    failing: '^DROP COLUMN$',
  },
  {
    without: 'a column of another type',
    file: judge,
    text: 'where is_retyped',
    becomes: 'where false',
    failing: 'TYPE that rewrites',
  },
  {
    without: 'a part detached',
    file: judge,
    text: 'where not is_gone and oid <> root and not exists',
    becomes: 'where false and not exists',
    failing: '^DETACH PARTITION|^NO INHERIT',
  },
  {
    without: 'the tree above a part',
    file: watch,
    text: 'where up.depth < 100',
    becomes: 'where false',
    failing: 'DELETE on a partition',
  },
  {
    without: 'patterns',
    file: watch,
    text: '(n.nspname = any (spaces) or',
    becomes: '(',
    failing: 'by a pattern',
  },
  {
    without: 'the guard of the ledger',
    file: watch,
    text: 'and (held.level > 1 or pg_stat',
    becomes: 'and false and (held.level > 1 or pg_stat',
    failing: 'rows of the ledger',
  },
  {
    without: 'no allowance for the ledger',
    file: judge,
    text: 'permitted := permitted and not',
    becomes: 'permitted := permitted or',
    failing: 'allowance for the ledger',
  },
  {
    without: 'altered ledger',
    file: look,
    text: 'if is_altered then',
    becomes: 'if false then',
    failing: 'trigger on the ledger',
  },
  {
    without: 'changed functions',
    file: look,
    text: 'and age(p.xmin) <= 0',
    becomes: 'and false',
    failing: 'lockstep.judge replaced',
  },
  {
    without: 'close is ours',
    file: around,
    text: 'guards && !isRehearsal ? functionsStay(terms)',
    becomes: `guards && isRehearsal ? ''`,
    failing: 'lockstep.close replaced',
  },
  {
    without: 'the look is there',
    file: look,
    text: 'if guards and not has_look then',
    becomes: 'if false then',
    failing: '^CLOSE ALL',
  },
  {
    without: 'the look is ours',
    file: look,
    text: 'and c.statement in',
    becomes: 'or c.statement in',
    failing: 'another cursor in its place',
  },
  {
    without: 'the look was not moved',
    file: look,
    text: 'if guards and left_of_look',
    becomes: 'if false and left_of_look',
    failing: '^MOVE ALL|a row fetched',
  },
  {
    without: 'deferred constraints now',
    file: around,
    text: 'SET CONSTRAINTS ALL IMMEDIATE;',
    becomes: '',
    failing: 'deferred constraint trigger',
  },
  {
    without: 'cursors closed before COMMIT',
    file: around,
    text: `'CLOSE ALL;',\n    // A file`,
    becomes: `'CLOSE lockstep_guard;',\n    // A file`,
    failing: 'WITH HOLD',
  },
  {
    without: 'a search_path of its own',
    file: 'src/postgres/ledger-format.ts',
    text: 'set search_path = pg_catalog, pg_temp set plan',
    becomes: 'set plan',
    failing: 'decoy',
  },
  {
    without: 'exact mode',
    file: judge,
    text: `verdict := 'suspects';`,
    becomes: `verdict := 'violations';`,
    failing: 'savepoint rolls back, and|moves rows to another',
  },
  {
    without: 'exact mode decides',
    file: judge,
    text: 'continue when found.rows = 0;',
    becomes: '',
    failing: 'moves rows to another',
  },
  {
    without: 'the key is unique and never null',
    file: exact,
    text: 'and not a.attnotnull)',
    becomes: 'and false)',
    failing: 'may be null is no key',
  },
  {
    without: 'the key is over all rows',
    file: exact,
    text: 'and i.indpred is null',
    becomes: '',
    failing: 'over some rows is no key',
  },
  {
    without: 'kept keys as multisets',
    file: exact,
    text: 'except all select',
    becomes: 'except select',
    failing: 'child table, whose key',
  },
  {
    without: 'partition columns left out',
    file: exact,
    text: 'if is_unique then',
    becomes: 'if false then',
    failing: 'moves rows to another',
  },
  {
    without: 'only where the rest is unique',
    file: exact,
    text: 'if is_unique then',
    becomes: 'if true then',
    failing: 'not unique without',
  },
  {
    without: 'a truncate that is filled again',
    file: judge,
    text: 'is_rewritten and (inserted > 0 or is_emptied)',
    becomes: 'is_rewritten and is_emptied',
    failing: 'as many other rows',
  },
  {
    without: 'all columns behind a truncate',
    file: exact,
    text: 'if is_refilled then',
    becomes: 'if false then',
    failing: 'RESTART IDENTITY',
  },
  {
    without: 'a rewrite is no truncate',
    file: exact,
    text: 'if found_rows <= (one ->> 1)::bigint then',
    becomes: 'if true then',
    failing: 'a rewrite, an UPDATE',
  },
  {
    without: 'bounds',
    file: judge,
    text: 'bound is null or',
    becomes: 'true or',
    failing: 'beyond its bound',
  },
  {
    without: 'the words of an allowance',
    file: judge,
    text: `a -> 'words' ? found.what`,
    becomes: 'true',
    failing: 'another kind',
  },
  {
    without: 'the table of an allowance',
    file: judge,
    text: `((a ->> 'on')::oid = found.root or`,
    becomes: '(true or',
    failing: 'for another table',
  },
  {
    without: 'bounds over all statements',
    file: judge,
    text: 'found.rows + spent <= bound',
    becomes: 'found.rows <= bound',
    failing: '',
    test: 'test/postgres/guard-steps.test.ts',
  },
  {
    without: 'a look before a statement alone',
    file: 'src/postgres/stepwise.ts',
    text: '  refuseLoss(trees, withoutDetached',
    becomes: '  if (false) refuseLoss(trees, withoutDetached',
    failing: '',
    test: 'test/postgres/guard-steps.test.ts',
  },
  {
    without: 'a look behind it',
    file: 'src/postgres/stepwise.ts',
    text: '  refuseLoss(trees, await treesOf',
    becomes: '  if (false) refuseLoss(trees, await treesOf',
    failing: '',
    test: 'test/postgres/guard-steps.test.ts',
  },
  {
    without: 'locked against others in exact mode',
    file: exact,
    text: `execute format('lock table %s in %s mode'`,
    becomes: `perform format('lock table %s in %s mode'`,
    failing: '',
    test: 'test/postgres/guard-others.test.ts',
  },
  {
    without: 'the figures of files before, in a rehearsal',
    file: watch,
    text: 'if is_again then',
    becomes: 'if false then',
    failing: '',
    test: 'test/postgres/rehearse.test.ts',
  },
]

await using server = await startServer(18)
const home = mkdtempSync(join(tmpdir(), 'lockstep-mutations-'))
try {
  for (const name of ['src', 'test', 'docs', 'sql', 'package.json', 'tsconfig.json'])
    cpSync(name, join(home, name), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    })
  symlinkSync(join(process.cwd(), 'node_modules'), join(home, 'node_modules'))
  for (const mutation of mutations) {
    const path = join(home, mutation.file)
    const source = readFileSync(mutation.file, 'utf8')
    if (source.split(mutation.text).length !== 2)
      throw new Error(`“${mutation.text}” does not stand once in ${mutation.file}`)
    writeFileSync(
      path,
      source.replace(mutation.text, () => mutation.becomes),
    )
    const failed = failingOf(mutation)
    console.log(
      `${failed === undefined ? 'MISSED' : 'noticed'}  without ${mutation.without}: ${failed ?? 'no test fails'}`,
    )
    if (failed === undefined) process.exitCode = 1
    writeFileSync(path, source)
  }
} finally {
  rmSync(home, { recursive: true })
}

/** A test that fails, of those that should. */
function failingOf({
  failing,
  test = 'test/postgres/guard.test.ts',
}: Mutation): string | undefined {
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', test], {
    cwd: home,
    env: { ...process.env, TEST_DATABASE_URL: server.url, TEST_MUTANTS: failing },
    encoding: 'utf8',
  })
  if (status === 0) return undefined
  const names = [...stdout.matchAll(/^ *not ok \d+ - (.+)$/gm)].map(([, name]) => name ?? '')
  return names.find(
    (name) => !/, as (owner|superuser)$|^docs\/guard\.md/.test(name) && !name.endsWith('.ts'),
  )
}
