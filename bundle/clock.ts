/** Stands in the program for the global of this name, which loads all of perf_hooks for one clock. */
export const performance = { now: (): number => Number(process.hrtime.bigint()) / 1e6 }
