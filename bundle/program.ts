import type { runCli } from '../src/cli.ts'

// Not by `import`, which would load the lazy parts of these modules too, fs/promises for one.
const { hash } = process.getBuiltinModule('node:crypto')
const { readFileSync } = process.getBuiltinModule('node:fs')
const path = process.getBuiltinModule('node:path')
const { Script } = process.getBuiltinModule('node:vm')

interface Exports {
  runCli: typeof runCli
}

type Require = (name: string) => unknown
type Wrapper = (exports: Partial<Exports>, require: Require, module: object) => void

/**
 * The program as a script: compiled already, if the cache beside it is of this program and of this
 * Node; else it is compiled anew, which takes longer and does the same.
 */
export class Program {
  readonly #file: string
  readonly #bytes: Buffer
  readonly #script: InstanceType<typeof Script>

  constructor(dist: string, name: 'program' | 'gate') {
    this.#file = path.join(dist, `${name}.cjs`)
    this.#bytes = readFileSync(this.#file)
    // esbuild writes ASCII, which need not be decoded.
    this.#script = new Script(this.#bytes.toString('latin1'), {
      filename: this.#file,
      cachedData: this.#readCache(path.join(dist, `${name}.cache`)),
    })
  }

  /** V8 has taken the cache. */
  get isCompiled(): boolean {
    return this.#script.cachedDataRejected === false
  }

  /** Runs the program's top level, as `require` would. */
  start(): Exports {
    const module: { exports: Partial<Exports> } = { exports: {} }
    const wrapper: Wrapper = this.#script.runInThisContext()
    wrapper(module.exports, this.#require, module)
    const { runCli: run } = module.exports
    if (run === undefined) throw new Error('the program has no command line')
    return { runCli: run }
  }

  /** Node's own modules at once; what searches for others is loaded for a chunk only. */
  readonly #require: Require = (name) =>
    process.getBuiltinModule(name) ??
    process.getBuiltinModule('node:module').createRequire(this.#file)(name)

  /** What its cache is to hold: functions that have run until now are in it, others are not. */
  cache(): Buffer {
    const code = this.#script.createCachedData()
    return Buffer.concat([this.#digests(code), code])
  }

  /**
   * V8 refuses the cache of another version or other flags by itself. But it knows a program by its
   * length only, and a damaged cache ends the process: so digests of both stand before it.
   */
  #readCache(file: string): Buffer | undefined {
    let cache: Buffer
    try {
      cache = readFileSync(file)
    } catch {
      return undefined
    }
    const code = cache.subarray(digestBytes)
    return this.#digests(code).equals(cache.subarray(0, digestBytes)) ? code : undefined
  }

  /** One by one: a hash that is fed in parts is a stream, which takes longer to make than to feed. */
  #digests(code: Buffer): Buffer {
    return Buffer.concat([this.#bytes, code].map((bytes) => hash('sha256', bytes, 'buffer')))
  }
}

const digestBytes = 64
