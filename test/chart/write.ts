import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findHelms, noHelm } from '../support/helm.ts'
import { withValues } from './readme.ts'
import { kept, rendered, root } from './rendered.ts'

// Writes anew what is rendered from the chart, and the table of its README. What changed is to be reviewed before it is committed.
const by = findHelms().at(-1)
if (by === undefined) throw new Error(noHelm)
const readme = 'helm/lockstep/README.md'
const files = [
  ...(await rendered(by)),
  [readme, withValues(kept(readme), kept('helm/lockstep/values.yaml'))] as const,
]
for (const [path, text] of files) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
