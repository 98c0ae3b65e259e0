import { Program } from './program.ts'

const [, , word, ...flags] = process.argv
// As the parser has it: of several the last counts.
const [from] = flags
  .flatMap((flag, at) => {
    if (flag === '--from') return [flags[at + 1]]
    return flag.startsWith('--from=') ? [flag.slice('--from='.length)] : []
  })
  .slice(-1)

/** Stands in the entry for the command line, which is in the program; a gate that reads a file has a smaller one. */
export const { runCli } = new Program(
  import.meta.dirname,
  word === 'wait' && from === 'file' && !flags.includes('--help') ? 'gate' : 'program',
).start()
