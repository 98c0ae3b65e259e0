import { Program } from './program.ts'

const [, , word, ...flags] = process.argv
const readsFile =
  flags.includes('--from=file') ||
  flags.some((flag, at) => flag === '--from' && flags[at + 1] === 'file')

/** Stands in the entry for the command line, which is in the program; a gate that reads a file has a smaller one. */
export const { runCli } = new Program(
  import.meta.dirname,
  word === 'wait' && readsFile && !flags.includes('--help') ? 'gate' : 'program',
).start()
