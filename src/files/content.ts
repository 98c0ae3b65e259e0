import { hash } from 'node:crypto'
import { closeSync, type Dirent, fstatSync, readFileSync, readSync } from 'node:fs'
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
 * @param path - where the file of this entry is
 * @throws {Failure} FILE_UNREADABLE
 */
export async function readText(
  path: string,
  entry: Dirent,
  maxBytes: number,
): Promise<ReadText | string> {
  const file = entry.name
  try {
    const bytes = readBytes(path, entry, maxBytes)
    if (typeof bytes === 'string') return bytes
    if (bytes !== undefined) return smallText(bytes, file)
    const text = await LargeText.read(path, file, maxBytes)
    if (typeof text === 'string') return text
    return { text, checksum: text.checksum, hadByteOrderMark: text.hadByteOrderMark }
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new Failure('FILE_UNREADABLE', `cannot read ${file}: ${reasonOf(error)}`)
  }
}

function smallText(bytes: Buffer, file: string): ReadText | string {
  const found = toText(bytes)
  // A NUL, or what stands for bytes that are no text; that may be meant, so the bytes are looked at.
  const isDoubtful = found.text.includes('\0') || found.text.includes('\u{FFFD}')
  const problem = isDoubtful ? contentProblem(bytes, file) : undefined
  return problem ?? { ...found, checksum: hash('sha256', bytes, 'hex') }
}

/**
 * The bytes, until the next call: small files share their place. Or why they are too many, or
 * undefined where they are not to be kept.
 */
function readBytes(path: string, entry: Dirent, maxBytes: number): Buffer | string | undefined {
  const file = entry.name
  const fd = openToRead(path)
  try {
    const small = entry.isFile() ? readSmall(fd) : undefined
    if (small !== undefined && small.length <= maxBytes) return small
    const stat = fstatSync(fd)
    if (!stat.isFile())
      throw new Failure('FILE_UNREADABLE', `${file} is not a regular file`, [
        'put the file itself there, or take it out of the folder',
      ])
    if (stat.size > maxBytes) {
      return `${file} has ${stat.size} bytes, more than LOCKSTEP_MAX_FILE_SIZE allows (${maxBytes})`
    }
    return stat.size >= largeBytes ? undefined : readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Where small files are read to, one after another: a buffer for each would be a lot of garbage. */
const scratch = Buffer.allocUnsafeSlow(2 ** 16)

/**
 * The bytes of a regular file, or undefined where they may be more than there is room. It is read to
 * its end, and not asked for its size, since that answer takes longer to unpack than a small file to read.
 */
function readSmall(fd: number): Buffer | undefined {
  let at = 0
  for (let read = 1; read > 0; at += read) {
    if (at === scratch.length) return undefined
    read = readSync(fd, scratch, at, scratch.length - at, at)
  }
  return scratch.subarray(0, at)
}

function contentProblem(bytes: Buffer, file: string): string | undefined {
  const problem = byteProblem(bytes)
  if (problem === undefined) return undefined
  const { line, column } = placeOfByte(bytes, problem.at)
  return `${file}:${line}:${column} holds ${problem.what}, at byte ${problem.at}`
}
