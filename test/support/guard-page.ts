import { mutants, type Mutant } from './mutants.ts'

const begin = '<!-- The table is made by the test: node test/guard-page.ts -->'
const end = '\nNot seen by any of this:'

/** The page with its table as the mutants have it. */
export function pageOf(page: string): string {
  const [before = '', rest = ''] = page.split(begin)
  const after = rest.slice(rest.indexOf(end))
  const tables = mutants.map(({ title, of }) =>
    [
      `### ${title}`,
      '',
      '| the file | it is | |',
      '|---|---|---|',
      ...of.map((mutant) => `| ${mutant.does} | ${becomes(mutant)} | ${mutant.why ?? ''} |`),
    ].join('\n'),
  )
  return `${before}${begin}\n\n${tables.join('\n\n')}\n${after}`
}

function becomes({ becomes: owner, asSuperuser }: Mutant): string {
  return asSuperuser === undefined ? owner : `${owner}; as superuser ${asSuperuser}`
}
