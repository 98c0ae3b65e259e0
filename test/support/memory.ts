import { readdirSync, readFileSync } from 'node:fs'

/** Linux only: elsewhere nobody tells what is private. */
export const canMeasure = process.platform === 'linux'
const everyMs = 20

/** Peak of what the backends of a database have for themselves, in MB: without shared buffers. */
export class BackendMemory implements Disposable {
  peakMb = 0
  readonly #title: RegExp
  readonly #timer: NodeJS.Timeout

  constructor(database: string) {
    // postgres: USER DATABASE HOST(PORT) WHAT
    this.#title = new RegExp(`^postgres: \\S+ ${database} `)
    this.#timer = setInterval(() => this.#look(), everyMs)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (!this.#title.test(fileOf(pid, 'cmdline'))) continue
      this.peakMb = Math.max(this.peakMb, kbIn(fileOf(pid, 'status'), 'RssAnon') / 1024)
    }
  }
}

/** Peak of a process so far, in MB. */
export function peakMbOf(pid: number): number {
  return kbIn(fileOf(String(pid), 'status'), 'VmHWM') / 1024
}

function kbIn(status: string, what: string): number {
  return Number(new RegExp(`^${what}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}

/** Empty where the process is gone. */
function fileOf(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}
