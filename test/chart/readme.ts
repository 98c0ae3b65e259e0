import { isMap, isScalar, parseDocument } from 'yaml'

/** A value of the chart, as its comment tells. */
export interface ChartValue {
  /** Such as `image.tag`. */
  readonly path: string
  readonly preset: string
  readonly comment: string
}

/** All values that have a comment `# -- ...`, and the leaves that have none and should. */
export function readValues(yaml: string): readonly ChartValue[] {
  const document = parseDocument(yaml)
  return valuesIn(document.contents, document.toJS(), [])
}

/** @param plain - the same as `node`, as plain values */
function valuesIn(node: unknown, plain: unknown, path: readonly string[]): readonly ChartValue[] {
  if (!isMap(node)) return []
  const presets = new Map<string, unknown>(Object.entries(plain ?? {}))
  return node.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) return []
    const preset = presets.get(String(key.value))
    const here = [...path, String(key.value)]
    // The comment above the first key is that of the map.
    const above = key.commentBefore ?? (index === 0 ? node.commentBefore : undefined) ?? ''
    const told = above.split('\n').findLast((line) => line.startsWith(' -- '))
    if (told === undefined && isMap(value) && value.items.length > 0) {
      return valuesIn(value, preset, here)
    }
    const comment = told?.slice(' -- '.length) ?? ''
    return [{ path: here.join('.'), preset: JSON.stringify(preset), comment }]
  })
}

const marks = /(<!-- values -->\n)[^]*(<!-- end of values -->)/

/** The README with the table of its values made anew between its marks. */
export function withValues(readme: string, yaml: string): string {
  const rows = readValues(yaml).map(
    ({ path, preset, comment }) =>
      `| \`${path}\` | \`${preset}\` | ${comment.replaceAll('|', String.raw`\|`)} |\n`,
  )
  const table = `| value | default | meaning |\n|---|---|---|\n${rows.join('')}`
  return readme.replace(marks, (_, begin: string, end: string) => `${begin}${table}${end}`)
}
