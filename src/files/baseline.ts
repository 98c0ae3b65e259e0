import { Failure } from '../failure.ts'
import { printable } from '../printable.ts'
import { baselineForms, noDirectives } from './directives.ts'
import type { Entry } from './entry.ts'
import { placeBehind } from './bytes.ts'
import { readDirectives, strayDirectives, type Directive } from './header.ts'
import { parseFileName, type FileName } from './name.ts'
import { headerOf, type Text } from './text.ts'

/** `baseline.sql`: builds an empty database in one go, in place of the files up to a version. */
export interface Baseline {
  readonly text: Text
  readonly checksum: string
  /** The version of the last file that it stands for. */
  readonly upto: bigint
  /** The same as its header spells it. */
  readonly version: string
  /** The files that it stands for, where it says which; else those of the folder up to its version. */
  readonly covers: readonly Entry[] | undefined
}

export const baselineName = 'baseline.sql'

/** @throws {Failure} DIRECTIVE_UNKNOWN, BASELINE_INVALID, FOLDER_EMPTY */
export function readBaseline(
  { text: whole, checksum }: { readonly text: Text; readonly checksum: string },
  files: readonly FileName[],
): Baseline {
  const text = headerOf(whole)
  const directives = readDirectives(text)
  const unknown = directives.find(({ word }) => !Object.hasOwn(baselineForms, word))
  if (unknown) {
    throw new Failure(
      'DIRECTIVE_UNKNOWN',
      `${place(unknown)} directive “${printable(unknown.word)}” is not known to this release; known: ${Object.values(baselineForms).join(', ')}`,
    )
  }
  const [stray] = strayDirectives(text)
  if (stray !== undefined) {
    const { line, column } = placeBehind(text.slice(0, stray.at))
    throw invalid(`${baselineName}:${line}:${column} ${stray.what}`)
  }
  const heads = directives.filter(({ word }) => word === 'baseline')
  const version = /^[0-9]+$/.exec(heads[0]?.rest ?? '')?.[0]
  if (version === undefined || heads.length > 1) {
    throw invalid(`${baselineName} does not say once which version it builds`)
  }
  const upto = BigInt(version)
  const lines = directives.filter(({ word }) => word === 'covers')
  const covers = lines.length === 0 ? undefined : readCovers(lines, upto, version)
  if (covers === undefined && files.length === 0) {
    throw new Failure('FOLDER_EMPTY', `${baselineName} stands alone: there is no SQL file to apply`)
  }
  if (covers === undefined && !files.some((file) => file.version === upto)) {
    throw invalid(
      `${baselineName} stands for the files up to ${version}, but none of that version is here`,
    )
  }
  return { text: whole, checksum, upto, version, covers }
}

function readCovers(lines: readonly Directive[], upto: bigint, version: string): Entry[] {
  const versions = new Set<bigint>()
  return lines.map((line): Entry => {
    const [, name = '', meaning = ''] = /^(\S+)\s+([0-9a-f]{64})$/.exec(line.rest.trim()) ?? []
    const parsed = parseFileName(name)
    if (parsed === undefined) {
      throw invalid(`${place(line)} does not name a file and its meaning, 64 hexadecimal digits`)
    }
    if (parsed.version > upto) throw invalid(`${place(line)} ${name} is behind version ${version}`)
    if (versions.has(parsed.version)) {
      throw invalid(`${place(line)} ${name} has the version of a line before`)
    }
    versions.add(parsed.version)
    return {
      ...parsed,
      checksum: '',
      directives: noDirectives,
      meaning: { file: meaning, statements: [] },
    }
  })
}

function place({ line }: Directive): string {
  return `${baselineName}:${line}:1`
}

function invalid(problem: string): Failure {
  return new Failure('BASELINE_INVALID', problem)
}
