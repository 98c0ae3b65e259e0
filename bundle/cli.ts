import { Program } from './program.ts'

/** Stands in the entry for the command line, which is in the program. */
export const { runCli } = new Program(import.meta.dirname).start()
