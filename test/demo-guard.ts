import { spawn } from 'node:child_process'
import { folderOf } from './support/folder.ts'
import { installedMajors, startServer } from './support/server.ts'

/** What `make demo-guard` shows: a file that would lose leads by a cascade, its rehearsal, and the same allowed. */
const major = installedMajors().at(-1)
if (major === undefined)
  throw new Error(`there is no PostgreSQL package for ${process.platform} ${process.arch}`)

await using server = await startServer(major)
using folder = folderOf({
  '0001_customers_and_leads.sql': `create table customers (id int primary key, is_test boolean not null);
create table leads (id int primary key, customer int not null references customers on delete cascade);
insert into customers select i, i > 10 from generate_series(1, 12) i;
insert into leads select i, i % 12 + 1 from generate_series(1, 222) i;
`,
})
const cleanup = 'delete from customers where is_test;\n'

async function lockstep(expected: number, ...args: string[]): Promise<void> {
  console.log(`\n$ lockstep ${args.join(' ')}`)
  const env = {
    ...process.env,
    DATABASE_URL: server.url,
    LOCKSTEP_DIR: folder.path,
    LOCKSTEP_GUARD_TABLES: 'leads',
  }
  const child = spawn(process.execPath, ['dist/lockstep.mjs', ...args], { env, stdio: 'inherit' })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== expected) process.exitCode = 1
}

function write(file: string, text: string): void {
  folder.write({ [file]: text })
  console.log(`\n$ cat ${file}\n${text.trimEnd()}`)
}

console.log(`a throw-away PostgreSQL ${major} listens on 127.0.0.1:${server.port}`)
console.log('LOCKSTEP_GUARD_TABLES=leads')
await lockstep(0, 'migrate')
write('0002_forget_test_customers.sql', cleanup)
await lockstep(1, 'migrate')
await lockstep(1, 'plan', '--rehearse', '--format', 'markdown')
write('0002_forget_test_customers.sql', `-- lockstep: allow delete <= 37 on leads\n${cleanup}`)
await lockstep(0, 'plan', '--rehearse', '--format', 'markdown')
await lockstep(0, 'migrate')
console.log('\nthe throw-away PostgreSQL is stopped and removed')
