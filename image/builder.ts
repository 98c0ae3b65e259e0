import { spawnSync } from 'node:child_process'

/** What builds images here. All of them read the same Dockerfile. */
export interface Builder {
  readonly name: string
  /** Has the image here, fetched if need be; else says why it cannot. */
  fetch(image: string): { readonly problem?: string }
  /** @throws {Error} with all that the build said */
  build(asked: Build): void
  /** Writes an image into an archive that `docker load` and containerd read. */
  save(image: string, file: string): void
}

interface Build {
  readonly context: string
  readonly file: string
  readonly image: string
  readonly target?: string
  readonly args?: Readonly<Record<string, string>>
}

/** The first that works: the client of docker alone, without its daemon, does not. */
export function findBuilder(): Builder | undefined {
  const name = ['docker', 'podman', 'buildah'].find((one) => run(one, ['info']).status === 0)
  return name === undefined ? undefined : builderOf(name)
}

function builderOf(name: string): Builder {
  // A step of a build needs rights that a container often lacks; a chroot is enough for ours.
  const how = name === 'docker' ? [] : ['--isolation=chroot', '--layers']
  const inspect = name === 'buildah' ? ['inspect', '--type=image'] : ['image', 'inspect']
  return {
    name,
    fetch: (image) => {
      if (run(name, [...inspect, image]).status === 0) return {}
      const { status, said } = run(name, ['pull', image])
      return status === 0 ? {} : { problem: said.trim().split('\n').at(-1) ?? '' }
    },
    build: ({ context, file, image, target, args = {} }) => {
      const named = target === undefined ? [] : ['--target', target]
      const told = Object.entries(args).flatMap(([key, value]) => [
        '--build-arg',
        `${key}=${value}`,
      ])
      const words = ['--file', file, '--tag', image, ...named, ...told, context]
      const { status, said } = run(name, ['build', ...how, ...words])
      if (status !== 0) throw new Error(`${name} cannot build ${image}:\n${said}`)
    },
    save: (image, file) => {
      const archive = `docker-archive:${file}:${image}`
      const words = name === 'buildah' ? ['push', image, archive] : ['save', '-o', file, image]
      const { status, said } = run(name, words)
      if (status !== 0) throw new Error(`${name} cannot save ${image}:\n${said}`)
    },
  }
}

function run(name: string, args: readonly string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(name, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { status, said: `${stdout}${stderr}` }
}
