/** CRI-O splits a line at 8 KiB, containerd at 16; what pino adds in front takes less than the rest. */
const mostBytes = 7 * 1024 - 200

type Fields = Readonly<Record<string, unknown>>

/** Fields as they are, or so far shortened that they fit into one record, with `cut` to name them. */
export function fit(fields: Fields): Fields {
  const cut = new Set<string>()
  const fitting: Record<string, unknown> = { ...fields }
  while (bytesOf({ ...fitting, cut: [...cut] }) > mostBytes) {
    const name = largestOf(fitting)
    cut.add(name)
    fitting[name] = halved(fitting[name])
  }
  return cut.size === 0 ? fields : { ...fitting, cut: [...cut] }
}

function largestOf(fields: Fields): string {
  const bySize = Object.keys(fields).toSorted((a, b) => bytesOf(fields[b]) - bytesOf(fields[a]))
  return bySize[0] ?? ''
}

/** The first half of a text or a list; of a list of one, and of an object, its largest part is halved. */
function halved(value: unknown): unknown {
  if (typeof value === 'string') {
    return `${value.slice(0, Math.floor((value.length - 1) / 2)).toWellFormed()}…`
  }
  if (Array.isArray(value) && value.length > 1) return value.slice(0, Math.floor(value.length / 2))
  if (Array.isArray(value)) return value.map(halved)
  if (typeof value !== 'object' || value === null) return undefined
  const fields: Fields = { ...value }
  const name = largestOf(fields)
  return { ...fields, [name]: halved(fields[name]) }
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '')
}
