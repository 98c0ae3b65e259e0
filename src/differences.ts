/** One thing in a database, told without anything that differs between two databases of one schema. */
export interface CatalogObject {
  readonly class: string
  /** With its schema; unique within its class. */
  readonly name: string
  /** The object without which it is not told of. */
  readonly of: string | null
  /** Attributes whose values may be shown: names, types, numbers, flags. */
  readonly told: Readonly<Record<string, string | null>>
  /** Those that hold what somebody wrote: expressions, bodies, comments, rows. */
  readonly texts: Readonly<Record<string, string | null>>
}

/** Where what the baseline builds is not what the files build. */
export interface Difference {
  readonly class: string
  readonly name: string
  /** Undefined where the whole object is only in one of the two. */
  readonly attribute: string | undefined
  /** Undefined where the value may not be shown, or is none. */
  readonly baseline: string | undefined
  readonly files: string | undefined
}

/** Compares two databases by names, never by what the server counts. In the order of the objects. */
export function differencesOf(
  baseline: readonly CatalogObject[],
  files: readonly CatalogObject[],
): Difference[] {
  const [ours, theirs] = [byKey(baseline), byKey(files)]
  const lone = new Set(
    [...baseline, ...files]
      .filter((object) => !ours.has(keyOf(object)) || !theirs.has(keyOf(object)))
      .map(({ name }) => name),
  )
  return inOrder([...new Map([...ours, ...theirs]).values()]).flatMap((object): Difference[] => {
    const key = keyOf(object)
    if (object.of !== null && lone.has(object.of)) return []
    const [one, other] = [ours.get(key), theirs.get(key)]
    if (one !== undefined && other !== undefined) return attributesOf(one, other)
    const values = { baseline: presence(one), files: presence(other) }
    return [{ class: object.class, name: object.name, attribute: undefined, ...values }]
  })
}

/** Class by class as they come, and by name. */
function inOrder(objects: readonly CatalogObject[]): CatalogObject[] {
  const classes = [...new Set(objects.map((object) => object.class))]
  const rank = new Map(classes.map((name, index) => [name, index]))
  return objects.toSorted(
    (a, b) => (rank.get(a.class) ?? 0) - (rank.get(b.class) ?? 0) || (a.name < b.name ? -1 : 1),
  )
}

function presence(found: CatalogObject | undefined): 'absent' | 'present' {
  return found === undefined ? 'absent' : 'present'
}

function byKey(objects: readonly CatalogObject[]): Map<string, CatalogObject> {
  return new Map(objects.map((object) => [keyOf(object), object]))
}

function keyOf(object: CatalogObject): string {
  return `${object.class} ${object.name}`
}

function attributesOf(one: CatalogObject, other: CatalogObject): Difference[] {
  const { class: kind, name } = one
  const told = Object.keys(one.told).flatMap((attribute): Difference[] => {
    const values = {
      baseline: one.told[attribute] ?? 'none',
      files: other.told[attribute] ?? 'none',
    }
    const isSame = attribute.startsWith('order of ')
      ? sameOrder(values.baseline, values.files)
      : values.baseline === values.files
    return isSame ? [] : [{ class: kind, name, attribute, ...values }]
  })
  const texts = Object.keys(one.texts)
    .filter((attribute) => one.texts[attribute] !== other.texts[attribute])
    .map((attribute) => ({ class: kind, name, attribute, baseline: undefined, files: undefined }))
  return [...told, ...texts]
}

/** Of what is in both lists: what is in one only is told for itself. */
function sameOrder(one: string, other: string): boolean {
  const [ours, theirs] = [one.split(', '), other.split(', ')]
  const common = ours.filter((item) => theirs.includes(item))
  return common.join(', ') === theirs.filter((item) => ours.includes(item)).join(', ')
}

/** One line for people. */
export function differenceText({
  class: kind,
  name,
  attribute,
  baseline,
  files,
}: Difference): string {
  const what = `${kind} ${name}`
  if (attribute === undefined) {
    return baseline === 'absent'
      ? `${what} is not built by baseline.sql`
      : `${what} is built by baseline.sql only`
  }
  const values =
    baseline === undefined ? 'differs' : `is ${baseline} by baseline.sql, ${files} by the files`
  return `${what}: ${attribute} ${values}`
}
