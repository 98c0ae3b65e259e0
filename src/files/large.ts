import { nextTurn } from '../pause.ts'
import { createHash, type Hash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'
import { type FailureCode } from '../errors.ts'
import { Failure } from '../failure.ts'
import { beginsWithMark, byteOrderMark, byteProblem, type Place } from './bytes.ts'
import { chunksOf, openToRead, placeOfByteIn } from './chunks.ts'
import { Lexer } from './lexer.ts'
import type { Meaning } from './meaning.ts'
import { reasonOf } from './reason.ts'
import { blank, type Script } from './script.ts'
import type { Statement } from './statements.ts'
import { placeIn, stretchesIn, type Stretch } from './stretches.ts'
import { pieceBytes, Survey, type Known } from './survey.ts'

/** A file of so many bytes is not kept in memory. */
export const largeBytes = 2 ** 20
/** One message holds a statement whole: the client needs some four times as much, the server more. */
const mostStatementBytes = 2 ** 28

/** A part of a file, cut in front of a statement. */
export interface Piece {
  readonly text: string
  /** Where it begins in the file. */
  readonly begins: Place
  readonly isFirst: boolean
  readonly isLast: boolean
}

/**
 * The text of a large file, which is read each time it is needed: once for its checksum, once for
 * its statements, unless it is applied already, and once when it is sent. Whoever reads it after the
 * first time gets to its end only if the bytes are still the same.
 */
export class LargeText {
  readonly file: string
  readonly size: number
  /** SHA-256 over the bytes, as 64 hexadecimal digits. */
  readonly checksum: string
  readonly hadByteOrderMark: boolean
  readonly #path: string
  #header: string | undefined
  #known: Known | undefined
  #blanked: readonly Statement[] = []

  private constructor(path: string, file: string, first: FirstLook) {
    this.#path = path
    this.file = file
    this.size = first.size
    this.checksum = first.checksum
    this.hadByteOrderMark = first.hadByteOrderMark
  }

  /** Reads a file for the first time; returns what is wrong with its bytes, if anything is. */
  static async read(path: string, file: string, mostBytes: number): Promise<LargeText | string> {
    const hash = createHash('sha256')
    let size = 0
    let hadByteOrderMark = false
    for (const chunk of chunksOf(path)) {
      const problem = byteProblem(chunk, size === 0)
      if (problem !== undefined) {
        const at = size + problem.at
        const { line, column } = placeOfByteIn(path, at)
        return `${file}:${line}:${column} holds ${problem.what}, at byte ${at}`
      }
      if (size === 0) hadByteOrderMark = beginsWithMark(chunk)
      hash.update(chunk)
      size += chunk.length
      if (size > mostBytes) return `${file} has grown beyond LOCKSTEP_MAX_FILE_SIZE (${mostBytes})`
      await nextTurn()
    }
    return new LargeText(path, file, { size, checksum: hash.digest('hex'), hadByteOrderMark })
  }

  /** All up to the first token: the comments that may hold directives. */
  get header(): string {
    return (this.#header ??= this.#readHeader())
  }

  /** Nobody has asked yet what it says: it takes a second for each 100 MB. */
  get isUnknown(): boolean {
    return this.#known === undefined
  }

  get meaning(): Meaning {
    return this.#learn().meaning
  }

  /** How many statements it has. */
  get count(): number {
    return this.#learn().count
  }

  /** As one transaction. */
  get script(): Script {
    return this.#learn().script
  }

  /** The first stretch. */
  get head(): string {
    return this.#learn().head
  }

  /** The same file, of which some statements are not sent. */
  without(blanked: readonly Statement[]): LargeText {
    if (blanked.length === 0) return this
    const other = new LargeText(this.#path, this.file, this)
    other.#known = this.#known
    other.#blanked = [...this.#blanked, ...blanked]
    return other
  }

  /**
   * All of it, for what cannot be done in pieces.
   *
   * @throws {Failure} FILE_CHANGED_MEANWHILE, FILE_CONTENT_INVALID where it is too long for that
   */
  whole(): string {
    if (this.size > mostStatementBytes) {
      const problem = `${this.file} has ${this.size} bytes; a file that runs statement by statement has at most ${mostStatementBytes}`
      throw new Failure('FILE_CONTENT_INVALID', problem, ['split the file'])
    }
    const hash = createHash('sha256')
    const text = [...this.#read((chunk) => hash.update(chunk))].join('')
    this.#compare(hash)
    return text
  }

  /**
   * The text with its statements, a stretch at a time; once it has been read to its end the meaning
   * is known as well.
   *
   * @throws {Failure} FILE_CHANGED_MEANWHILE, FILE_CONTENT_INVALID for a statement that is too long
   */
  *stretches(): Generator<Stretch> {
    const hash = createHash('sha256')
    const survey = new Survey(this.hadByteOrderMark ? byteOrderMark.length : 0)
    const tooLong = (place: Place): never => {
      throw this.#invalid('FILE_CONTENT_INVALID', place, tooLongStatement, [
        'split the statement, or the file',
      ])
    }
    const parts = this.#read((chunk) => hash.update(chunk))
    for (const stretch of stretchesIn(parts, mostStatementBytes, tooLong)) {
      const stray = survey.see(stretch)
      if (stray !== undefined)
        throw this.#invalid('DIRECTIVE_INVALID', placeIn(stretch, stray.at), stray.what)
      if (survey.meetsData) {
        // What follows may be no SQL. The file will be refused, so it has the meaning of no other.
        const meaning = { file: this.checksum, statements: [this.checksum] }
        this.#known ??= { ...survey.known(), meaning }
        yield { ...stretch, unclosed: undefined }
        return
      }
      yield stretch
    }
    this.#compare(hash)
    this.#known ??= survey.known()
  }

  /**
   * The text in pieces of some 128 kB, longer only where one statement is. The last is handed out only
   * if all bytes, its own too, are those of the first reading: what ends a transaction belongs behind it.
   *
   * @throws {Failure} FILE_CHANGED_MEANWHILE
   */
  *pieces(): Generator<Piece> {
    const { cuts } = this.#learn()
    const hash = createHash('sha256')
    const fd = this.#try(() => openToRead(this.#path))
    try {
      let bytes = Buffer.allocUnsafeSlow(2 * pieceBytes)
      const mark = bytes.subarray(0, cuts[0].at)
      this.#fill(fd, mark)
      hash.update(mark)
      for (const [index, { at, unit, line, column }] of cuts.entries()) {
        const length = (cuts[index + 1]?.at ?? this.size) - at
        if (length > bytes.length) bytes = Buffer.allocUnsafeSlow(length)
        const piece = bytes.subarray(0, length)
        this.#fill(fd, piece)
        hash.update(piece)
        const text = blank(
          piece.toString('utf8'),
          shifted(this.#blanked, unit, cuts[index + 1]?.unit),
        )
        const isLast = index === cuts.length - 1
        if (isLast) {
          if (this.#try(() => readSync(fd, bytes, 0, 1, null)) > 0)
            throw this.#changed('it has grown')
          this.#compare(hash)
        }
        yield { text, begins: { line, column }, isFirst: index === 0, isLast }
        // A buffer for one long statement is not kept for all others.
        if (bytes.length > 2 * pieceBytes) bytes = Buffer.allocUnsafeSlow(2 * pieceBytes)
      }
    } finally {
      closeSync(fd)
    }
  }

  #learn(): Known {
    if (this.#known === undefined) for (const _ of this.stretches());
    if (this.#known === undefined) throw new Error('a text was read and not understood')
    return this.#known
  }

  #readHeader(): string {
    let text = ''
    for (const part of this.#read(ignore)) {
      text += part
      const lexer = new Lexer(text)
      if (lexer.next() && lexer.end < text.length) return text.slice(0, lexer.end)
    }
    return text
  }

  *#read(see: (chunk: Buffer) => void): Generator<string> {
    const chunks = chunksOf(this.#path)
    let skip = this.hadByteOrderMark ? byteOrderMark.length : 0
    for (;;) {
      const next = this.#try(() => chunks.next())
      if (next.done === true) return
      see(next.value)
      yield next.value.toString('utf8', skip)
      skip = 0
    }
  }

  #fill(fd: number, bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const read = this.#try(() => readSync(fd, bytes, at, bytes.length - at, null))
      if (read === 0) throw this.#changed('it has become shorter')
      at += read
    }
  }

  #try<T>(action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw this.#changed(`it cannot be read any more: ${reasonOf(error)}`)
    }
  }

  #compare(hash: Hash): void {
    if (hash.digest('hex') !== this.checksum) throw this.#changed('its bytes are others')
  }

  #invalid(code: FailureCode, place: Place, what: string, more?: readonly string[]): Failure {
    return new Failure(code, `${this.file}:${place.line}:${place.column} ${what}`, more)
  }

  #changed(how: string): Failure {
    return new Failure(
      'FILE_CHANGED_MEANWHILE',
      `${this.file} is not as it was read at first: ${how}`,
    )
  }
}

interface FirstLook {
  readonly size: number
  readonly checksum: string
  readonly hadByteOrderMark: boolean
}

const tooLongStatement = `a statement of more than ${mostStatementBytes} bytes begins here`

/** Those of a piece, by its own code units. */
function shifted(statements: readonly Statement[], from: number, until = Infinity): Statement[] {
  return statements
    .filter(({ start }) => start >= from && start < until)
    .map(({ start, end }) => ({ start: start - from, end: end - from }))
}

function ignore(): void {
  // The header alone says nothing of the whole.
}
