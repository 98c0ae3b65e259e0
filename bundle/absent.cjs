/**
 * Stands in the bundle for modules that libraries load and never use here, each of them several
 * milliseconds and megabytes of a process that mostly finds nothing to do:
 *
 * - `tls` in the driver: it gets a socket that is encrypted already;
 * - `thread-stream` and `worker_threads` in pino: transports, which lose lines at exit;
 * - `assert` in pino's destination: one check of a descriptor that is 1 or 2;
 * - `perf_hooks` in the driver: the clock, which is global;
 * - `transport`, `multistream` and `caller` of pino: who called, for a transport to be loaded from there.
 *
 * docs/decisions/0005-lean-bundle.md has the figures.
 */
module.exports = function absent() {}
module.exports.isMainThread = true
module.exports.performance = performance
