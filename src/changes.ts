import type { Entry } from './files/entry.ts'
import { count } from './phrases.ts'

const digits = 8
/** Of longer files the first statements are enough to say where an edit begins. */
const most = 500

/** Short digests of the statements of a file, one behind the other, for the ledger. */
export function digestsOf({ meaning }: Entry): string {
  return meaning.statements
    .slice(0, most)
    .map((statement) => statement.slice(0, digits))
    .join('')
}

/** How an edited file differs from what was applied, in words: never in its text. */
export function changeOf(file: Entry, applied: string | undefined): string {
  const before = (applied ?? '').match(/.{8}/g) ?? []
  const now = digestsOf(file).match(/.{8}/g) ?? []
  const [n, m] = [before.length, now.length]
  if (n === 0) return 'its statements differ'
  const same = sharedLength(before, now)
  const sameAtEnd = Math.min(
    sharedLength(before.toReversed(), now.toReversed()),
    Math.min(n, m) - same,
  )
  if (same === n && same === m) return `what follows statement ${same} differs`
  if (m === 0) return 'its statements are gone'
  if (same === n) return `${count(m - n, 'statement')} added at the end`
  if (same === m) return `${count(n - m, 'statement')} removed at the end`
  if (n === m) return differing(before, now)
  if (m > n && same + sameAtEnd === n) {
    const where = same === 0 ? 'at the beginning' : `behind statement ${same}`
    return `${count(m - n, 'statement')} added ${where}`
  }
  if (n > m && same + sameAtEnd === m) {
    return `${count(n - m, 'statement')} removed ${same === 0 ? 'at the beginning' : `behind statement ${same}`}`
  }
  return `it differs from statement ${same + 1} on, of ${n} as applied and ${m} now`
}

function differing(before: readonly string[], now: readonly string[]): string {
  const places = now.flatMap((digest, index) => (digest === before[index] ? [] : [index + 1]))
  const [first = 0] = places
  if (places.length === 1) return `statement ${first} of ${now.length} differs`
  return `${places.length} of ${now.length} statements differ, the first is statement ${first}`
}

function sharedLength(a: readonly string[], b: readonly string[]): number {
  const index = a.findIndex((digest, at) => digest !== b[at])
  return index === -1 ? Math.min(a.length, b.length) : Math.min(index, b.length)
}
