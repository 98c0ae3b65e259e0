import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import { findBuilder } from './builder.ts'
import { buildStandIn } from './stand-in.ts'

/**
 * What `make image` does: builds `lockstep:VERSION`, which holds no SQL, and `lockstep-example:VERSION`
 * with the worked example. Where the base that the Dockerfile names cannot be fetched, both are built on
 * a stand-in, and their names say so: VERSION-stand-in.
 *
 *   node image/build.ts [FOLDER]
 *
 * With a folder it also writes both images there, as `lockstep.tar` and `lockstep-example.tar`.
 */
const root = join(import.meta.dirname, '..')
const file = join(root, 'Dockerfile')
const [folder] = process.argv.slice(2)

const builder = findBuilder()
if (builder === undefined) {
  console.error('an image needs docker with its daemon, podman or buildah: none of them works here')
  process.exit(1)
}
const [, named = ''] = /^ARG BASE=(\S+)$/m.exec(readFileSync(file, 'utf8')) ?? []
const { problem } = builder.fetch(named)
if (problem !== undefined) {
  console.log(`the base ${named} cannot be fetched:\n  ${problem}`)
  console.log('so both are built on a stand-in made of this machine: for tests, never for use')
}
const base = problem === undefined ? named : buildStandIn(builder)
const tag = problem === undefined ? manifest.version : `${manifest.version}-stand-in`
const revision = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
const args = { BASE: base, VERSION: manifest.version, REVISION: revision.stdout?.trim() ?? '' }
for (const [name, target] of [
  ['lockstep', 'lockstep'],
  ['lockstep-example', 'example'],
] as const) {
  const image = `${name}:${tag}`
  builder.build({ context: root, file, image, target, args })
  console.log(`built ${image} with ${builder.name}`)
  if (folder === undefined) continue
  const archive = join(folder, `${name}.tar`)
  // No builder adds to an archive that is there.
  rmSync(archive, { force: true })
  builder.save(image, archive)
}
