import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { reasonOf } from './files/reason.ts'
import { textOf, type Published } from './published.ts'
import { StatusTrouble, type StatusStore } from './status-store.ts'

/** A status in a file: for people without a cluster, and for pods that mount the ConfigMap. */
export class StatusFile implements StatusStore {
  readonly name: string
  readonly #path: string

  constructor(path: string) {
    this.name = `file:${path}`
    this.#path = path
  }

  read(): Promise<string | undefined> {
    try {
      return Promise.resolve(readFileSync(this.#path, 'utf8'))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
        return Promise.resolve(undefined)
      return Promise.reject(
        new StatusTrouble(`${this.name} cannot be read: ${reasonOf(error)}`, { isLasting: true }),
      )
    }
  }

  /** By a rename, so that nobody ever reads a half. */
  write(published: Published): Promise<void> {
    const beside = join(dirname(this.#path), `.${basename(this.#path)}.${published.run}`)
    try {
      writeFileSync(beside, textOf(published))
      renameSync(beside, this.#path)
      return Promise.resolve()
    } catch (error) {
      rmSync(beside, { force: true })
      return Promise.reject(
        new StatusTrouble(`${this.name} cannot be written: ${reasonOf(error)}`, {
          isLasting: true,
        }),
      )
    }
  }
}
