import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { test } from 'node:test'
import { defaults } from '../../src/config.ts'
import { failures } from '../../src/errors.ts'
import { baselineForms, directiveForms } from '../../src/files/directives.ts'
import { fieldShapes } from '../../src/published.ts'
import { rules } from '../../src/files/findings.ts'
import { objectClasses } from '../../src/postgres/catalog.ts'
import { knownParameters } from '../../src/postgres/parameters.ts'
import { everyEvent } from '../support/events.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** The sources by their paths below `src`, with what each imports: packages, and paths below `src`. */
const sources = new Map(
  globSync('src/**/*.ts', { cwd: root }).map((path) => {
    const file = posix.relative('src', path.replaceAll('\\', '/'))
    const text = read(path)
    const named = text.matchAll(
      /^(?:import|export)\b[^'"]*?from '([^']+)'|\bimport\(?\s*'([^']+)'/gm,
    )
    const imports = [...named].map(([, from, bare]) => {
      const name = from ?? bare ?? ''
      return name.startsWith('.') ? posix.join(posix.dirname(file), name) : name
    })
    return [file, { text, imports }]
  }),
)

test('the sources and their imports are found', () => {
  assert.ok(sources.size > 20)
  assert.deepEqual(sources.get('main.ts')?.imports, ['cli.ts'])
  assert.ok(sources.get('report/log.ts')?.imports.includes('report/pretty.ts'))
  assert.ok(sources.get('version.ts')?.imports.includes('../package.json'))
  for (const [file, { imports }] of sources) {
    const own = imports.filter((name) => name.endsWith('.ts'))
    for (const name of own) assert.ok(sources.has(name), `${file} imports ${name}`)
  }
})

// A case: what may be imported, and by whom alone.
for (const [rule, what, by] of [
  ['the driver is known to src/postgres alone', /^postgres$/, /^postgres\//],
  ['pino is known to the log alone', /^pino$/, /^report\/log\.ts$/],
  ['pino-pretty is known to pretty.ts alone', /^pino-pretty$/, /^report\/pretty\.ts$/],
  ['envalid is known to the configuration alone', /^envalid$/, /^(config|validators)\.ts$/],
  ['the client of Kubernetes is known to src/kubernetes alone', /^@kubernetes\//, /^kubernetes\//],
  ['the process is imported by main.ts alone', /^node:process$/, /^main\.ts$/],
  ['whoever waits has it of pause.ts: no run loads these for it', /^node:timers/, /^$/],
  ['the command line is known to main.ts alone', /^cli\.ts$/, /^main\.ts$/],
  ['who reports is known to the command line alone', /^report\//, /^(report\/|cli\.ts$)/],
] as const) {
  test(rule, () => {
    for (const [file, { imports }] of sources) {
      const found = by.test(file) ? [] : imports.filter((name) => what.test(name))
      assert.deepEqual(found, [], file)
    }
  })
}

// A case: who imports nothing but what. Arrows point one way.
for (const [rule, who, what] of [
  [
    'files know no effect but reading',
    /^files\//,
    /^(files\/|(errors|failure|nearest|pause|printable)\.ts$|node:(buffer|crypto|fs|path)$)/,
  ],
  [
    'deciding knows files, failures and phrases',
    /^(adoption|decide|differences|gate|matching|changes|phases|half-done|objections|needs|recorded|refusals)\.ts$/,
    /^(files\/|(changes|errors|failure|half-done|matching|needs|objections|phases|phrases|recorded|refusals)\.ts$)/,
  ],
  ['failures know nothing but their list', /^(errors|failure)\.ts$/, /^errors\.ts$/],
  [
    'src/postgres knows no log and no cluster',
    /^postgres\//,
    /^(postgres\/|files\/|(adoption|changes|decide|differences|errors|events|failure|nearest|objections|pause|phases|phrases|recorded)\.ts$|node:|postgres$)/,
  ],
] as const) {
  test(rule, () => {
    const found = [...sources].filter(([file]) => who.test(file))
    assert.ok(found.length > 0)
    for (const [file, { imports }] of found) {
      assert.deepEqual(
        imports.filter((name) => !what.test(name)),
        [],
        file,
      )
    }
  })
}

test('what is imported while the program runs is a chunk, which shares no source with the program', () => {
  const lazy = [...sources.values()].flatMap(({ text }) =>
    [...text.matchAll(/await import\('\.\/([^']+)'\)/g)].map(([, name = '']) => name),
  )
  assert.deepEqual(lazy.toSorted(), ['cli.ts', 'client.ts', 'pretty.ts'])
  // A second copy of failure.ts would have a `Failure` of its own.
  assert.deepEqual(sources.get('report/pretty.ts')?.imports, ['pino-pretty'])
  const own = sources.get('kubernetes/client.ts')?.imports.filter((name) => name.endsWith('.ts'))
  assert.deepEqual(own, [])
})

test('nobody imports himself over others', () => {
  const cycleFrom = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path, file]
    for (const name of sources.get(file)?.imports ?? []) {
      const cycle = cycleFrom(name, [...path, file])
      if (cycle) return cycle
    }
    return undefined
  }
  for (const file of sources.keys()) assert.equal(cycleFrom(file, [])?.join(' -> '), undefined)
})

test('main.ts alone touches the process', () => {
  const touches = [...sources].filter(([, { text }]) => /\bprocess(\.\w|\[)|\bconsole\./.test(text))
  assert.deepEqual(
    touches.map(([file]) => file),
    ['main.ts'],
  )
})

test('a file is a page or two', () => {
  for (const [file, { text }] of sources) {
    const lines = text.split('\n').length - 1
    assert.ok(lines <= 300, `${file} has ${lines} lines`)
  }
})

test('docs/errors.md has one section for each failure, with its exit code', () => {
  const sections = [...read('docs/errors.md').matchAll(/^## (\S+)\s+(.+)$/gm)]
  const expected = Object.entries(failures).map(([code, { exit }]) => {
    return `${code}: Exit ${exit}, a retry ${exit === 75 ? 'helps' : 'does not help'}.`
  })
  const found = sections.map(([, code, line]) => `${code}: ${line}`)
  assert.deepEqual(found.toSorted(), expected.toSorted())
})

test('each section of docs/errors.md says what the failure means, and what to see, where to look, how to mend', () => {
  const [, ...sections] = read('docs/errors.md').split(/^## /m)
  for (const [code, { means, todo }] of Object.entries(failures)) {
    const section = sections.find((text) => text.startsWith(`${code}\n`)) ?? ''
    const said = `It means: ${means}.\nTo do: ${todo}${todo.endsWith('?') ? '' : '.'}\n`
    assert.ok(section.includes(said), `${code} says:\n${section}`)
    const facts = section.split('\n').filter((line) => line.startsWith('- '))
    const words = facts.map((line) => /^- (You see|Why|Look|Mend): \S/.exec(line)?.[1])
    assert.match(words.join(' '), /^You see Why( Look)+( Mend)+$/, `${code} says:\n${section}`)
  }
})

/** Cells in backticks at the beginning of the rows of a page's tables. */
function rowsOf(path: string, cells: number): string[][] {
  const rows = read(path)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  return rows.map((row) => {
    const found = row.split('|').slice(1, cells + 1)
    return found.map((cell) => /^`([^`]*)`$/.exec(cell.trim())?.[1] ?? cell.trim())
  })
}

test('docs/events.md has one row for each checkpoint', () => {
  const found = rowsOf('docs/events.md', 1).join('\n')
  assert.deepEqual(found.split('\n').toSorted(), Object.keys(everyEvent).toSorted())
})

test('docs/status.md has one row for each field of the document', () => {
  const rows = rowsOf('docs/status.md', 1).flat().join(', ').replaceAll('`', '').split(', ')
  for (const field of ['format', ...Object.keys(fieldShapes)])
    assert.equal(rows.filter((row) => row === field).length, 1, field)
})

test('docs/directives.md has one row for each directive, written as in the code', () => {
  const found = rowsOf('docs/directives.md', 1).flat()
  const forms = [...Object.values(directiveForms), ...Object.values(baselineForms)]
  assert.deepEqual(found.toSorted(), forms.toSorted())
})

test('docs/check-baseline.md has one row for each class that is compared, with its attributes', () => {
  const found = rowsOf('docs/check-baseline.md', 3).filter(([kind]) => kind !== 'rows')
  const expected = Object.entries(objectClasses).map(([kind, { told, texts }]) => [
    kind,
    ...[told, texts].map((attributes) => Object.keys(attributes).join(', ')),
  ])
  assert.deepEqual(found, expected)
})

test('docs/files.md names every rule of lockstep check', () => {
  const page = read('docs/files.md')
  for (const rule of Object.keys(rules)) assert.ok(page.includes(`\`${rule}\``), rule)
})

test('the table of the README has every variable with its default, and no other', () => {
  const rows = rowsOf('README.md', 2).map(([name, value]) => `${name} ${value}`)
  const found = rows.filter((row) => /^(LOCKSTEP|MIGRATION)_/.test(row))
  const expected = Object.entries(defaults).map(([name, value]) => `${name} ${value}`)
  assert.deepEqual(found.toSorted(), expected.toSorted())
})

test('docs/address.md names what becomes of every parameter of libpq', () => {
  const page = read('docs/address.md')
  const plain = new Set(['host', 'hostaddr', 'port', 'user', 'password', 'passfile', 'dbname'])
  for (const name of knownParameters.keys()) {
    if (!plain.has(name)) assert.match(page, new RegExp(`[\`=?&]${name}\\b`), name)
  }
})
