// Our own statements carry their values as literals: the simple protocol takes no parameters, and
// needs one round trip where the extended one needs two.

/** A string as a literal that reads the same whatever `standard_conforming_strings` says. */
export function literal(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** A string as a literal that closes no quote which a file has left open. */
export function inDollars(value: string): string {
  let tag = '$lockstep'
  while (value.includes(tag)) tag += '_'
  return `${tag}$${value}${tag}$`
}

/** A literal, or NULL. */
export function optional(value: string | undefined): string {
  return value === undefined ? 'null' : literal(value)
}

/** A name as an identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
