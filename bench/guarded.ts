import { interleaved, lockstep, type Bench } from './bench.ts'
import { timeOf, type Program } from './process.ts'
import { median, type Row } from './report.ts'
import { makeFolder, type SqlFolder } from './workload.ts'

const rounds = Number(process.env['BENCH_GUARD_ROUNDS'] ?? 7)
const template = 'bench_tables'
const database = 'bench_guarded'
const tables = 2_000
const guarded = Array.from({ length: 10 }, (_, index) => `guarded_${index}`)
const files = 200

/** What it costs to guard ten tables of 2,000: beside the same run that guards none. */
export async function measureGuarded(bench: Bench): Promise<Row[]> {
  const { admin, workload } = bench
  await admin(`create database ${template}`)
  using tablesFolder = makeFolder(tableTexts())
  await timeOf(guarding(bench, template, tablesFolder, 'other', ''), bench.stop)
  using writing = makeFolder(
    Array.from({ length: files }, () =>
      guarded.map((table) => `update ${table} set n = n + 1 where id = 1;\n`).join(''),
    ),
  )
  using moving = makeFolder([`update big set part = 2 where id < 10;\n`])
  const onCopy = async (folder: SqlFolder, names: string): Promise<number> => {
    await admin(`create database ${database} template ${template}`)
    const took = await timeOf(guarding(bench, database, folder, 'lockstep', names), bench.stop)
    await admin(`drop database ${database} with (force)`)
    return took
  }
  const [fresh, without, writes, writesWithout, exact] = await interleaved(rounds, [
    () => onCopy(workload, guarded.join(',')),
    () => onCopy(workload, ''),
    () => onCopy(writing, guarded.join(',')),
    () => onCopy(writing, ''),
    () => onCopy(moving, 'big'),
  ])
  return [
    {
      workload: 'fresh, ten guarded tables of 2,000',
      oursMs: fresh ?? [],
      beside: 'none guarded',
      besideMs: without,
      ratioGoal: 1.15,
    },
    {
      workload: writingName,
      oursMs: writes ?? [],
      beside: 'none guarded',
      besideMs: writesWithout,
    },
    { workload: exactName, oursMs: exact ?? [], besideMs: undefined },
  ]
}

const writingName = '200 files that write to ten guarded tables'
const exactName = 'exact mode, a million rows'

/** The tables stand in a ledger of their own, so that the files come upon a database without one. */
function guarding(
  { url }: Bench,
  name: string,
  workload: SqlFolder,
  schema: string,
  names: string,
): Program {
  const program = lockstep({ url, workload }, name, '"outcome":"applied"')
  const env = {
    LOCKSTEP_SCHEMA: schema,
    LOCKSTEP_GUARD_TABLES: names,
    LOCKSTEP_BASELINE: 'ignore',
  }
  return { ...program, env: { ...program.env, ...env } }
}

/** The same in the units of its goals. */
export function guardedLines(rows: readonly Row[]): string[] {
  const [writing] = rows.filter(({ workload }) => workload === writingName)
  const [exact] = rows.filter(({ workload }) => workload === exactName)
  if (writing === undefined || exact === undefined) return []
  const more = writing.oursMs.map((ms, round) => (ms - (writing.besideMs?.[round] ?? 0)) / files)
  return [
    `A file that writes to ten guarded tables takes ${median(more).toFixed(2)} ms more than without the guard (goal: <= 0.50).`,
    `A run that exact mode decides, on a table of a million rows: ${(median(exact.oursMs) / 1000).toFixed(1)} s in all, of that two counts of its rows (goal: <= 3.0).`,
  ]
}

/** In several files, since a transaction can hold only so many locks. */
function tableTexts(): string[] {
  const others = Array.from({ length: tables - guarded.length }, (_, index) => `table_${index}`)
  const each = 500
  const parts = Array.from({ length: Math.ceil(others.length / each) }, (_, part) =>
    others
      .slice(part * each, (part + 1) * each)
      .map((table) => `create table ${table} (id int primary key, note text);\n`)
      .join(''),
  )
  return [
    ...parts,
    ...guarded.map(
      (table) =>
        `create table ${table} (id int primary key, n int); insert into ${table} select i, 0 from generate_series(1, 100) i;\n`,
    ),
    'create table big (id bigint, part int, primary key (id, part)) partition by list (part);\n',
    'create table big_1 partition of big for values in (1); create table big_2 partition of big for values in (2);\n',
    'insert into big select i, 1 from generate_series(1, 1000000) i;\n',
  ]
}
