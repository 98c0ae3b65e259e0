import { EnvError, makeExactValidator } from 'envalid'
import { readDuration } from './files/duration.ts'
import { readTablePattern, splitList, type TablePattern } from './files/table-name.ts'
import { readStatusTarget, type StatusTarget } from './status-target.ts'

// Own validators: envalid's read `10abc` as 10, take an empty string for a value, and quote what
// they refuse, which may be a secret in the wrong variable. These never echo.

export const text = makeExactValidator<string>((input) => input)

export const duration = makeExactValidator<number>((input) => {
  const durationMs = readDuration(input)
  if (durationMs !== undefined) return durationMs
  throw new EnvError('is not a duration such as 500ms, 30s, 15m or 2h')
})

export const size = makeExactValidator<number>((input) => {
  const [, digits, unit] = /^(\d{1,10})(B|KiB|MiB|GiB)$/.exec(input) ?? []
  const unitBytes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[unit ?? '']
  const bytes = Number(digits) * (unitBytes ?? Number.NaN)
  if (bytes > 0 && bytes <= 2 ** 30) return bytes
  throw new EnvError('is not a size such as 512KiB, 64MiB or 1GiB, at most 1GiB')
})

export const schemaName = makeExactValidator<string>((input) => {
  const isTaken = /^(pg_.*|public|information_schema)$/.test(input)
  if (Buffer.byteLength(input) <= 63 && !isTaken && !input.includes('$')) return input
  throw new EnvError(
    'is not the name of a schema for the ledger: at most 63 bytes, no $, not public, not pg_...',
  )
})

export const tableList = makeExactValidator<readonly TablePattern[]>((input) => {
  const read = splitList(input)
    .filter((item) => item !== '')
    .map(readTablePattern)
  const known = read.filter((table) => table !== undefined)
  if (known.length === read.length) return known
  throw new EnvError('is not a list of tables such as leads, crm.faqs, "Quoted", crm.* or *')
})

export const statusTarget = makeExactValidator<StatusTarget | 'none'>((input) => {
  const target = input === 'none' ? 'none' : readStatusTarget(input)
  if (target !== undefined) return target
  throw new EnvError('is none of configmap/NAME, configmap/NAMESPACE/NAME, file:PATH')
})

export function oneOf<const T extends string>(...choices: readonly T[]) {
  return makeExactValidator<T>((input) => {
    const choice = choices.find((candidate) => candidate === input)
    if (choice !== undefined) return choice
    throw new EnvError(
      choices.length === 1 ? `can only be ${choices[0]}` : `is none of ${choices.join(', ')}`,
    )
  })
}
