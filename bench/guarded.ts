import { interleaved, lockstep, type Bench } from './bench.ts'
import { timeOf, type Program } from './process.ts'
import { median, type Row } from './report.ts'
import { makeFolder, type SqlFolder } from './workload.ts'

const rounds = Number(process.env['BENCH_GUARD_ROUNDS'] ?? 7)
const template = 'bench_tables'
const copy = 'bench_guarded'
const millions = 'bench_millions'
const tables = 2_000
const files = 200
const guarded = Array.from({ length: 10 }, (_, index) => `guarded_${index}`)

/** What it costs to guard tables: beside the same run that guards none. */
export async function measureGuarded(bench: Bench): Promise<Row[]> {
  return [...(await measureMany(bench)), ...(await measureLarge(bench))]
}

/** Ten guarded tables of 2,000; each run on a copy of its own. */
async function measureMany(bench: Bench): Promise<Row[]> {
  const { admin, workload, stop } = bench
  await made(bench, template, manyTables())
  using writing = makeFolder(
    Array.from({ length: files }, () =>
      guarded.map((table) => `update ${table} set n = n + 1 where id = 1;\n`).join(''),
    ),
  )
  using one = makeFolder(['select 1;\n'])
  const onCopy = (folder: SqlFolder, names: string) => async (): Promise<number> => {
    await admin(`create database ${copy} template ${template}`)
    const took = await timeOf(guarding(bench, copy, folder, 'lockstep', names), stop)
    await admin(`drop database ${copy} with (force)`)
    return took
  }
  const names = guarded.join(',')
  const [freshMs = [], freshBesideMs, writingMs = [], writingBesideMs, oneMs = [], oneBesideMs] =
    await interleaved(
      rounds,
      [workload, writing, one].flatMap((folder) => [onCopy(folder, names), onCopy(folder, '')]),
    )
  await admin(`drop database ${template}`)
  return [
    {
      workload: workloads.fresh,
      oursMs: freshMs,
      beside,
      besideMs: freshBesideMs,
      ratioGoal: 1.15,
    },
    { workload: workloads.writing, oursMs: writingMs, beside, besideMs: writingBesideMs },
    { workload: workloads.one, oursMs: oneMs, beside, besideMs: oneBesideMs },
  ]
}

/** Tables of a million rows each. Every run has a ledger of its own. */
async function measureLarge(bench: Bench): Promise<Row[]> {
  const { admin, stop } = bench
  await made(bench, millions, largeTables())
  using idle = makeFolder(['select 1;\n'])
  // There and back: each run moves rows.
  using moving = makeFolder(['update parted set part = 3 - part where id < 10;\n'])
  let runs = 0
  const inSchema = (folder: SqlFolder, names: string) => (): Promise<number> => {
    runs += 1
    return timeOf(guarding(bench, millions, folder, `run_${runs}`, names), stop)
  }
  const [countedMs = [], countedBesideMs, exactMs = [], exactBesideMs] = await interleaved(rounds, [
    inSchema(idle, guarded.join(',')),
    inSchema(idle, ''),
    inSchema(moving, 'parted'),
    inSchema(moving, ''),
  ])
  await admin(`drop database ${millions}`)
  return [
    { workload: workloads.counted, oursMs: countedMs, beside, besideMs: countedBesideMs },
    { workload: workloads.exact, oursMs: exactMs, beside, besideMs: exactBesideMs },
  ]
}

const beside = 'none guarded'
const workloads = {
  fresh: 'fresh, ten guarded tables of 2,000',
  writing: `${files} files that write to ten guarded tables`,
  one: 'one file, ten guarded tables of 2,000',
  counted: 'ten guarded tables of a million rows, counted twice',
  exact: 'exact mode, a table of a million rows',
} as const

/** The same in the units of their goals. */
export function guardedLines(rows: readonly Row[]): string[] {
  const moreMs = (name: string): number | undefined => {
    const row = rows.find(({ workload }) => workload === name)
    const more = row?.oursMs.map((ms, round) => ms - (row.besideMs?.[round] ?? Number.NaN))
    return more && median(more)
  }
  const writing = moreMs(workloads.writing)
  const one = moreMs(workloads.one)
  const counted = moreMs(workloads.counted)
  const exact = moreMs(workloads.exact)
  if (writing === undefined || one === undefined || counted === undefined || exact === undefined)
    return []
  return [
    `A file that writes to ten guarded tables takes ${((writing - one) / files).toFixed(2)} ms more, without what a run takes more (goal: <= 0.50).`,
    `Counting ten tables of a million rows before and after takes ${seconds(counted)} s (goal: <= 4.0, twice the budget).`,
    `Exact mode on a million rows takes ${seconds(exact)} s, two counts of them included (goal: <= 3.0).`,
  ]
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}

/** A database that such files have made; the ledger goes. */
async function made(bench: Bench, name: string, texts: readonly string[]): Promise<void> {
  await bench.admin(`create database ${name}`)
  using folder = makeFolder(texts)
  await timeOf(guarding(bench, name, folder, 'made', ''), bench.stop)
}

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

/** In several files, since a transaction can hold only so many locks. */
function manyTables(): string[] {
  const others = Array.from({ length: tables - guarded.length }, (_, index) => `table_${index}`)
  const each = 500
  const parts = Array.from({ length: Math.ceil(others.length / each) }, (_, part) =>
    others
      .slice(part * each, (part + 1) * each)
      .map((table) => `create table ${table} (id int primary key, note text);\n`)
      .join(''),
  )
  return [...parts, ...guarded.map((table) => filled(table, 100))]
}

function largeTables(): string[] {
  return [
    ...guarded.map((table) => filled(table, 1_000_000)),
    `create table parted (id bigint, part int, primary key (id, part)) partition by list (part);
create table parted_1 partition of parted for values in (1);
create table parted_2 partition of parted for values in (2);
insert into parted select i, 1 from generate_series(1, 1000000) i;
`,
    '-- lockstep: no-transaction\nvacuum analyze;\n',
  ]
}

function filled(table: string, rows: number): string {
  return `create table ${table} (id int primary key, n int);
insert into ${table} select i, 0 from generate_series(1, ${rows}) i;
`
}
