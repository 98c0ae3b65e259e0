import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { compareNames, parseFileName } from '../../src/files/name.ts'
import { libpqEnvironment } from './libpq.ts'

// PostgreSQL's own client as judge: what it builds of a folder, and what is in a database then.

const hasPsql = spawnSync('psql', ['--version']).status === 0
const dumpMajor = Number(
  / (\d+)/.exec(spawnSync('pg_dump', ['--version']).stdout?.toString() ?? '')?.[1] ?? 0,
)

/** Runs each file of a folder as a person would: `psql -1 -f`, without -1 where a file says so. */
export async function buildWithPsql(url: string, dir: string): Promise<void> {
  const names = readdirSync(dir).map(parseFileName)
  for (const { file } of names.filter((name) => name !== undefined).toSorted(compareNames)) {
    const path = join(dir, file)
    const isOne = !/^-- lockstep: no-transaction$/m.test(readFileSync(path, 'utf8'))
    if (hasPsql) {
      const flags = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...(isOne ? ['-1'] : []), '-f', path]
      execFileSync('psql', flags, {
        env: libpqEnvironment(url),
        stdio: ['ignore', 'ignore', 'pipe'],
      })
    } else await buildWithDriver(url, readFileSync(path, 'utf8'), isOne)
  }
}

/** Where there is no psql: the text as it is, in one message; what only psql knows is left out. */
async function buildWithDriver(url: string, text: string, isOne: boolean): Promise<void> {
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined })
  const sent = text.replace(/^\uFEFF/, '').replace(/^\\(?:un)?restrict .*$/gm, '')
  const parts = isOne ? [sent] : sent.split(/;\s*\n/)
  try {
    for (const part of parts) await client.unsafe(part)
  } finally {
    await client.end({ timeout: 1 })
  }
}

/** All that is in a database but the ledger: by pg_dump where it knows this server, and by our own query. */
export async function contentsOf(url: string, rows: boolean): Promise<string> {
  const client = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined })
  try {
    const [server] = await client<{ major: number }[]>`
      select current_setting('server_version_num')::int / 10000 as major`
    const found = await client.unsafe<{ line: string }[]>(fingerprint)
    const tables = rows ? await client.unsafe<{ name: string }[]>(ordinaryTables) : []
    const digests: string[] = []
    for (const { name } of tables) {
      const [row] = await client.unsafe<{ digest: string }[]>(
        `select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest from ${name} t`,
      )
      digests.push(`rows of ${name}: ${row?.digest}`)
    }
    const lines = [...found.map(({ line }) => line), ...digests]
    return `${lines.join('\n')}\n${dumpMajor >= (server?.major ?? 0) ? dumpOf(url) : ''}`
  } finally {
    await client.end({ timeout: 1 })
  }
}

function dumpOf(url: string): string {
  const dump = execFileSync('pg_dump', ['-s', '-N', 'lockstep'], { env: libpqEnvironment(url) })
  return dump.toString().replace(/^\\(?:un)?restrict .*$/gm, '')
}

const ordinaryTables = `
  select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema$|lockstep$)' order by 1`

/** One line for each thing, without anything that differs between two databases of the same schema. */
const fingerprint = `
  with ours as (
    select oid, nspname from pg_namespace where nspname !~ '^(pg_|information_schema$|lockstep$)'
  ), lines as (
    select 'schema ' || nspname || ' ' || pg_get_userbyid(nspowner) || ' ' || coalesce(nspacl::text, '')
      from pg_namespace where oid in (select oid from ours)
    union all select concat_ws(' ', 'relation', c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity,
        c.relforcerowsecurity, c.reloptions, c.relacl, c.relreplident, pg_get_userbyid(c.relowner),
        pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class'))
      from pg_class c join ours on ours.oid = c.relnamespace
    union all select concat_ws(' ', 'column', a.attrelid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attacl, pg_get_expr(d.adbin, d.adrelid),
        col_description(a.attrelid, a.attnum))
      from pg_attribute a join pg_class c on c.oid = a.attrelid join ours on ours.oid = c.relnamespace
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attnum > 0 and not a.attisdropped
    union all select concat_ws(' ', 'constraint', conrelid::regclass, contypid::regtype, conname, convalidated, pg_get_constraintdef(c.oid))
      from pg_constraint c join ours on ours.oid = c.connamespace
    union all select concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid, indisready, indisclustered, indisreplident)
      from pg_index i join pg_class c on c.oid = i.indexrelid join ours on ours.oid = c.relnamespace
    union all select concat_ws(' ', 'trigger', tgenabled, pg_get_triggerdef(t.oid)) from pg_trigger t where not tgisinternal
    union all select concat_ws(' ', 'rule', r.ev_enabled, pg_get_ruledef(r.oid))
      from pg_rewrite r join pg_class c on c.oid = r.ev_class join ours on ours.oid = c.relnamespace
    union all select concat_ws(' ', 'routine', p.proacl, pg_get_functiondef(p.oid))
      from pg_proc p join ours on ours.oid = p.pronamespace where p.prokind in ('f', 'p')
    union all select concat_ws(' ', 'type', t.oid::regtype, t.typtype, t.typnotnull, t.typdefault, t.typacl,
        (select string_agg(enumlabel, ',' order by enumsortorder) from pg_enum where enumtypid = t.oid))
      from pg_type t join ours on ours.oid = t.typnamespace
    union all select concat_ws(' ', 'sequence', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcycle)
      from pg_sequence s join pg_class c on c.oid = s.seqrelid join ours on ours.oid = c.relnamespace
    union all select concat_ws(' ', 'policy', polrelid::regclass, polname, polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
      from pg_policy
    union all select concat_ws(' ', 'inherits', inhrelid::regclass, inhparent::regclass, inhseqno) from pg_inherits
    union all select concat_ws(' ', 'extension', extname, extversion) from pg_extension
    union all select concat_ws(' ', 'default rights', defaclrole::regrole, defaclobjtype, defaclacl) from pg_default_acl
  )
  select * from lines as l (line) order by 1`
