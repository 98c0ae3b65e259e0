import { randomBytes } from 'node:crypto'
import { check, isRefused, type CheckDocument } from './check.ts'
import type { Config } from './config.ts'
import { differencesOf, differenceText, type CatalogObject } from './differences.ts'
import type { Event, Tell } from './events.ts'
import { asFailure, Failure, failureOfAll } from './failure.ts'
import { baselineName } from './files/baseline.ts'
import { reachesBeyond } from './files/beyond.ts'
import { readFolder, type Folder } from './files/folder.ts'
import { placeIn } from './files/stretches.ts'
import { stretchesOf } from './files/text.ts'
import { migrate } from './migrate.ts'
import { count } from './phrases.ts'
import type { Address } from './postgres/address.ts'
import { plainPath, readCatalog } from './postgres/catalog.ts'
import { Connecting } from './postgres/connect.ts'
import { inBoth, readRows, readRowTables } from './postgres/row-digests.ts'
import type { Run } from './postgres/runs.ts'
import { createScratch, dropScratch } from './postgres/scratch.ts'
import { failureDocument, listed } from './refusals.ts'

/**
 * Proves that `baseline.sql` builds what the files build that it stands for.
 *
 *  1. The folder is checked as without a database; what is refused there cannot be built.
 *  2. Two scratch databases are made on the server, under names that nobody else has.
 *  3. One is built by the baseline and the files behind it, the other by all files: by `migrate`, as
 *     any database is.
 *  4. Catalogs and rows of both are read and compared by names.
 *  5. The scratch databases are dropped, however it ended.
 *
 * @throws {Failure} whatever is not the fault of the folder: connection, rights, a signal
 */
export async function checkBaseline(
  config: Config,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<CheckDocument> {
  const checked = await check(config.dir, config.maxFileBytes)
  if (isRefused(checked)) return checked
  try {
    const folder = await readFolder(config.dir, config.maxFileBytes)
    refuseUnprovable(folder)
    const [baseline, files] = await buildBoth(config, run, tell, stop)
    const differences = differencesOf(baseline, files)
    const tables = files.filter((object) => object.class === 'rows').length
    const compared = { objects: files.length - tables, tables }
    const failure = differences.length === 0 ? undefined : differs(differences.map(differenceText))
    return { ...checked, failure: failure && failureDocument(failure), differences, compared }
  } catch (error) {
    const failure = asFailure(error)
    if (failure.exit !== 1) throw failure
    return { ...checked, failure: failureDocument(failure) }
  }
}

/** So many are told; `--format json` has all. */
const mostLines = 100

function differs(lines: readonly string[]): Failure {
  const shown = lines.slice(0, mostLines)
  const left = lines.length - shown.length
  const found = `${baselineName} does not build what the files build: ${count(lines.length, 'difference')}`
  const more = left === 0 ? [] : [`and ${left} more: --format json has all`]
  return failureOfAll('BASELINE_DIFFERS', [found, ...shown, ...more])
}

/** @throws {Failure} BASELINE_UNPROVEN */
function refuseUnprovable({ dir, files, baseline }: Folder): void {
  if (baseline === undefined) {
    throw new Failure('BASELINE_UNPROVEN', `there is no ${baselineName} in ${dir}`)
  }
  const here = new Set(files.map(({ file }) => file))
  const gone = (baseline.covers ?? []).map(({ file }) => file).filter((file) => !here.has(file))
  if (gone.length > 0) {
    const what = `${baselineName} stands for ${count(gone.length, 'file')} that the folder does not hold any more: ${listed(gone)}`
    throw new Failure('BASELINE_UNPROVEN', what, [
      'nothing can be built to compare with: run this check in the commit that writes the baseline, before the files go',
    ])
  }
  const texts = [{ file: baselineName, text: baseline.text }, ...files]
  const places = texts.flatMap(({ file, text }) =>
    [...stretchesOf(text)].flatMap((stretch) =>
      stretch.statements.flatMap((statement) => {
        const what = reachesBeyond(stretch.text, statement)
        if (what === undefined) return []
        const { line, column } = placeIn(stretch, statement.start)
        return [`${file}:${line}:${column} ${what} changes what all databases of a server share`]
      }),
    ),
  )
  if (places.length > 0) {
    throw failureOfAll('BASELINE_UNPROVEN', places, [
      'a scratch database does not hold it in: make roles and databases beside the files',
    ])
  }
}

type Builds = [baseline: CatalogObject[], files: CatalogObject[]]

/** Steps 2 to 5. */
async function buildBoth(config: Config, run: Run, tell: Tell, stop: AbortSignal): Promise<Builds> {
  await using connecting = new Connecting(config, run, ignore, stop)
  const { session, address } = await connecting.result
  // Nobody else has such a name, so that whatever has it may be dropped.
  const name = `lockstep_check_${randomBytes(8).toString('hex')}`
  const names = [`${name}_baseline`, `${name}_files`] as const
  try {
    for (const database of names) await createScratch(session, database)
    const [first, second] = names.map((database) => configOf(config, { ...address, database }))
    if (first === undefined || second === undefined) throw new Error('two databases')
    await build({ ...first, baseline: 'auto' }, 'by baseline.sql', run, tell, stop)
    await build({ ...second, baseline: 'ignore' }, 'by the files', run, tell, stop)
    tell({ checkpoint: 'note', text: 'comparing catalogs and rows' })
    return await readBoth(first, second, run, stop)
  } finally {
    await dropBoth(config, address, names, run, tell)
  }
}

function configOf(config: Config, address: Address): Config {
  return { ...config, addresses: [address], phase: 'all', outOfOrder: 'allow' }
}

async function build(
  config: Config,
  by: string,
  run: Run,
  tell: Tell,
  stop: AbortSignal,
): Promise<void> {
  tell({ checkpoint: 'note', text: `building a scratch database ${by}` })
  try {
    // Somebody watches: a failure before is no reason to rest. And what is built is nobody's status.
    const own = { ...run, isAttended: true }
    await migrate(
      { ...config, status: undefined },
      own,
      onlyWhatTakesLong(tell, config.heartbeatMs),
      stop,
    )
  } catch (error) {
    const { code, message, more } = asFailure(error)
    throw new Failure(code, `${by}: ${message}`, more)
  }
}

/** What holds a build up, and now and then how far it has come. */
function onlyWhatTakesLong(tell: Tell, heartbeatMs: number): Tell {
  const always = new Set<Event['checkpoint']>(['waiting', 'running', 'blocked', 'retry', 'lost'])
  let toldMs = performance.now()
  return (event) => {
    const isDue = event.checkpoint === 'applied' && performance.now() - toldMs >= heartbeatMs
    if (!isDue && !always.has(event.checkpoint)) return
    toldMs = performance.now()
    tell(event)
  }
}

async function readBoth(
  first: Config,
  second: Config,
  run: Run,
  stop: AbortSignal,
): Promise<Builds> {
  await using one = new Connecting(first, run, ignore, stop)
  await using other = new Connecting(second, run, ignore, stop)
  const sessions = [(await one.result).session, (await other.result).session] as const
  const { schema } = first
  const read = async (session: (typeof sessions)[number]) => {
    await session.execute(`${plainPath}set row_security = off`)
    return {
      objects: await readCatalog(session, schema),
      tables: await readRowTables(session, schema),
    }
  }
  const [ours, theirs] = [await read(sessions[0]), await read(sessions[1])]
  const tables = inBoth(ours.tables, theirs.tables)
  return [
    [...ours.objects, ...(await readRows(sessions[0], tables))],
    [...theirs.objects, ...(await readRows(sessions[1], tables))],
  ]
}

/** Also after a signal: a pod has some time for that. */
const dropWithinMs = 10_000

async function dropBoth(
  config: Config,
  address: Address,
  names: readonly string[],
  run: Run,
  tell: Tell,
): Promise<void> {
  try {
    const wanted = { ...config, addresses: [address], connectWaitMs: 0 }
    const stop = AbortSignal.timeout(dropWithinMs)
    await using connecting = new Connecting(wanted, run, ignore, stop)
    await dropScratch((await connecting.result).session, names)
  } catch (error) {
    const drops = names.map((name) => `drop database if exists ${name} with (force);`).join(' ')
    const text = `the scratch databases are left behind: ${asFailure(error).message}; to remove them: ${drops}`
    tell({ checkpoint: 'warning', text })
  }
}

function ignore(): void {
  // Of its connections nobody wants to hear; what fails is thrown.
}
