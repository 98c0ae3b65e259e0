import { hash } from 'node:crypto'
import { closeSync, fstatSync, readFileSync, readSync } from 'node:fs'
import { Failure } from '../failure.ts'
import { byteProblem, placeOfByte, toText } from './bytes.ts'
import { openToRead } from './chunks.ts'
import { largeBytes, LargeText } from './large.ts'
import { reasonOf } from './reason.ts'
import type { Text } from './text.ts'

export interface ReadText {
  readonly text: Text
  readonly checksum: string
  readonly hadByteOrderMark: boolean
}

/**
 * The text, or what is wrong with it.
 *
 * @throws {Failure} FILE_UNREADABLE
 */
export async function readText(
  path: string,
  file: string,
  maxBytes: number,
): Promise<ReadText | string> {
  try {
    const bytes = readBytes(path, file, maxBytes)
    if (typeof bytes === 'string') return bytes
    if (bytes !== undefined) {
      const problem = contentProblem(bytes, file)
      return problem ?? { ...toText(bytes), checksum: hash('sha256', bytes, 'hex') }
    }
    const text = await LargeText.read(path, file, maxBytes)
    if (typeof text === 'string') return text
    return { text, checksum: text.checksum, hadByteOrderMark: text.hadByteOrderMark }
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('FILE_UNREADABLE', `cannot read ${file}: ${reasonOf(error)}`)
  }
}

/** The bytes, or why they are too many, or undefined where they are not to be kept. */
function readBytes(path: string, file: string, maxBytes: number): Buffer | string | undefined {
  const fd = openToRead(path)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new Failure('FILE_UNREADABLE', `${file} is not a regular file`)
    if (stat.size > maxBytes) {
      return `${file} has ${stat.size} bytes, more than LOCKSTEP_MAX_FILE_SIZE allows (${maxBytes})`
    }
    return stat.size >= largeBytes ? undefined : readWhole(fd, stat.size)
  } finally {
    closeSync(fd)
  }
}

/** Where small files are read to, one after another: a buffer for each would be a lot of garbage. */
const scratch = Buffer.allocUnsafeSlow(2 ** 16)

/** The bytes, until the next call: small files share their place. */
function readWhole(fd: number, size: number): Buffer {
  // There are file systems that do not tell a size.
  if (size === 0 || size > scratch.length) return readFileSync(fd)
  let at = 0
  for (let read = size; read > 0 && at < size; at += read) {
    read = readSync(fd, scratch, at, size - at, null)
  }
  return scratch.subarray(0, at)
}

function contentProblem(bytes: Buffer, file: string): string | undefined {
  const problem = byteProblem(bytes)
  if (problem === undefined) return undefined
  const { line, column } = placeOfByte(bytes, problem.at)
  return `${file}:${line}:${column} holds ${problem.what}, at byte ${problem.at}`
}
