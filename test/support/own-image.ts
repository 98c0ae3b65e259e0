import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBuilder } from '../../image/builder.ts'
import { images } from './manifests.ts'

const root = join(import.meta.dirname, '..', '..')

/**
 * An image as users make it, by the Dockerfile that docs/image.md shows, put into the cluster.
 *
 * @returns its name
 */
export function buildOwnImage(): string {
  const [, shown = ''] = /```dockerfile\n(FROM \S+\n[^]*?)```/.exec(page()) ?? []
  const image = 'localhost/crm-migrations:1'
  const context = mkdtempSync(join(tmpdir(), 'lockstep-own-'))
  try {
    mkdirSync(join(context, 'context'))
    cpSync(join(root, 'sql'), join(context, 'context', 'sql'), { recursive: true })
    const file = join(context, 'Dockerfile')
    writeFileSync(file, shown.replace(/^FROM \S+/, `FROM ${ofBuilder(images.plain)}`))
    const archive = join(context, 'own.tar')
    const builder = findBuilder()
    builder?.build({ context: join(context, 'context'), file, image })
    builder?.save(image, archive)
    const [load = '', ...words] = (process.env['TEST_CLUSTER_LOAD'] ?? '').split(' ')
    execFileSync(load, [...words, archive])
    return image
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

function page(): string {
  return readFileSync(join(root, 'docs', 'image.md'), 'utf8')
}

/** The archive calls an image of this machine by the name of a registry. */
function ofBuilder(image: string): string {
  return image.replace('docker.io/library/', '')
}
