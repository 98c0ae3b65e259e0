import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Builder } from './builder.ts'

/**
 * A base for machines that can fetch no image: this Node and the libraries that it needs of this
 * machine, laid out as the distroless image is, without a shell. It shows that the Dockerfile builds and
 * that the program runs in an image; it is never published.
 *
 * @returns the name of the image
 */
export function buildStandIn(builder: Builder): string {
  const image = 'localhost/lockstep-stand-in:base'
  const context = mkdtempSync(join(tmpdir(), 'lockstep-stand-in-'))
  try {
    const root = join(context, 'root')
    for (const folder of ['nodejs/bin', 'etc/ssl/certs', 'tmp', 'usr/lib', 'usr/lib64'])
      mkdirSync(join(root, folder), { recursive: true })
    symlinkSync('usr/lib', join(root, 'lib'))
    symlinkSync('usr/lib64', join(root, 'lib64'))
    copyFileSync(process.execPath, join(root, 'nodejs/bin/node'))
    for (const library of libraries(process.execPath)) {
      mkdirSync(join(root, dirname(library)), { recursive: true })
      copyFileSync(library, join(root, library))
    }
    const certificates = '/etc/ssl/certs/ca-certificates.crt'
    if (existsSync(certificates)) copyFileSync(certificates, join(root, certificates))
    const nobody = 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin'
    writeFileSync(join(root, 'etc/passwd'), `root:x:0:0:root:/root:/sbin/nologin\n${nobody}\n`)
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n')
    chmodSync(join(root, 'tmp'), 0o1777)
    const file = join(context, 'Dockerfile')
    writeFileSync(file, `FROM scratch\nCOPY root /\nUSER 65532\n`)
    builder.build({ context, file, image })
    return image
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

function libraries(program: string): string[] {
  const { stdout, status } = spawnSync('ldd', [program], { encoding: 'utf8' })
  if (status !== 0) throw new Error('a stand-in can be made on Linux only: ldd does not work here')
  return [...stdout.matchAll(/(\/lib\S+)/g)].map(([, path = '']) => path)
}
