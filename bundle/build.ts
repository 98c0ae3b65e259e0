import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build, type BuildOptions, type Plugin } from 'esbuild'

/**
 * Makes `dist/`:
 *
 * - `lockstep.mjs`, the entry: `main.ts` alone, so that signals are heard at once;
 * - `program.cjs`, all that a run needs, and `program.cache`, the same as V8 compiles it (`program.ts`);
 * - `gate.cjs` and `gate.cache`, the same without what a gate that reads a file never needs;
 * - a chunk for each library that is loaded while the program runs.
 *
 *   node bundle/build.ts [NODE]
 *
 * The cache holds for one version of Node: that of NODE, the `node` that will run the program.
 */
const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const node = process.argv[2] ?? process.execPath

// What libraries load and never use here; docs/decisions/0005-lean-bundle.md weighs it. Without the
// prefix, since pino asks for them by name.
const absent = ['tls', 'thread-stream', 'worker_threads', 'assert', 'perf_hooks']

const common: BuildOptions = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  platform: 'node',
  target: 'node24',
  // Node 24 knows `using`. In esbuild's own form of it, in a loop, the error of one round is thrown
  // again by every later one: a run that had lost its connection would never end well.
  supported: { using: true },
  minify: true,
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
}

const commonJs: BuildOptions = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // The cache is of a script, and a script has `require` only.
  supported: { ...common.supported, 'dynamic-import': false },
  inject: ['bundle/clock.ts'],
  alias: {
    ...Object.fromEntries(absent.map((name) => [name, './bundle/absent.cjs'])),
    // In their form of an ES module the one would make a copy of each of Node's modules that it names,
    // and of the other one would be made for each module that names it.
    postgres: './node_modules/postgres/cjs/src/index.js',
    tslib: './node_modules/tslib/tslib.js',
  },
}

/** In the entry the command line is what `bundle/cli.ts` takes from the program. */
const takesProgram: Plugin = {
  name: 'takes the program',
  setup: (made) =>
    made.onResolve({ filter: /^\.\/cli\.ts$/ }, () => ({ path: join(root, 'bundle', 'cli.ts') })),
}

/** What pino names by a path of its own is absent, too. */
const leavesOut: Plugin = {
  name: 'leaves out',
  setup: (made) =>
    made.onResolve({ filter: /^\.\/(?:lib\/)?(?:caller|transport|multistream)$/ }, () => ({
      path: join(root, 'bundle', 'absent.cjs'),
    })),
}

/** Own files that bring a library and nothing else: each is a chunk beside the program, loaded when it is asked for. */
const chunks = ['src/report/pretty.ts', 'src/kubernetes/client.ts']
const leavesChunks: Plugin = {
  name: 'leaves chunks',
  setup: (made) =>
    made.onResolve({ filter: /\/(?:pretty|client)\.ts$/ }, ({ path }) => ({
      path: `./${basename(path, '.ts')}.cjs`,
      external: true,
    })),
}

/** Pods start through a gate, often many at once: one that reads a file has neither driver nor other commands. */
const leavesCommands: Plugin = {
  name: 'leaves commands',
  setup: (made) =>
    made.onResolve(
      {
        filter:
          /^\.\/(?:adopt|check|check-baseline|gate-database|help|kubernetes\/status-map|migrate|plan|postgres\/address|status|report\/(?:check-text|plan-markdown|plan-text|status-text))\.ts$/,
      },
      () => ({ path: join(root, 'bundle', 'absent.cjs') }),
    ),
}

/**
 * Of the client of Kubernetes only the reader of its configuration is used, which knows certificates,
 * tokens and proxies. Left out is what would make requests: docs/decisions/0010 weighs it.
 */
const leavesOutRequests: Plugin = {
  name: 'leaves out requests',
  setup: (made) =>
    made.onResolve({ filter: /^(undici|\.\/gen\/index\.js)$/ }, () => ({
      path: join(root, 'bundle', 'absent.cjs'),
    })),
}

rmSync(dist, { recursive: true, force: true })
await build({
  ...common,
  entryPoints: { lockstep: 'src/main.ts' },
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  plugins: [takesProgram],
})
// What `require` would put around a module: `program.ts` has a script.
const script: BuildOptions = {
  ...commonJs,
  banner: { js: '(function(exports,require,module){' },
  footer: { js: '})' },
}
await build({
  ...script,
  entryPoints: { program: 'src/cli.ts' },
  plugins: [leavesChunks, leavesOut],
})
await build({
  ...script,
  entryPoints: { gate: 'src/cli.ts' },
  plugins: [leavesCommands, leavesChunks, leavesOut],
})
for (const path of chunks) {
  const name = basename(path, '.ts')
  const takesAll = { ...commonJs, alias: {}, plugins: [leavesOutRequests] }
  await build({ ...(name === 'client' ? takesAll : commonJs), entryPoints: { [name]: path } })
}
chmodSync(join(dist, 'lockstep.mjs'), 0o755)

const rehearsal = spawnSync(node, [join(root, 'bundle', 'rehearse.ts'), dist], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
process.exitCode = rehearsal.status ?? 1
