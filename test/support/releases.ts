import type { Directives } from '../../src/files/directives.ts'
import type { Folder, Migration } from '../../src/files/folder.ts'
import { compareNames } from '../../src/files/name.ts'
import type { LedgerRow, Recorded, Step } from '../../src/recorded.ts'
import { coverOf, fileOf } from './decision.ts'
import type { Random } from './random.ts'
import { smallText } from './small-text.ts'

/** Gives texts that no other file has. */
type NewText = () => string

export interface Release {
  readonly image: Folder
  readonly how: string
}

/** The next image of a project: made of the newest or of an older one, as people make them. */
export function nextImage(
  past: readonly Folder[],
  { rows, steps }: Recorded,
  random: Random,
  newText: NewText,
): Release {
  // The newest image, or an older one: a rollback if it stays as it is, else a hotfix.
  const at = random.oneIn(3) ? random.below(past.length) : past.length - 1
  const base = past[at] ?? imageOf([fileOf('5_a', newText())], undefined)
  const other = past[random.below(past.length)] ?? base
  const isHalfDone = steps.length > 0 && random.oneIn(2)
  const way = isHalfDone
    ? random.pick(['rerun', 'edit', 'renumber', 'insert'] as const)
    : random.pick(ways)
  const image = changes[way]({ base, other, rows, steps, random, newText })
  return { image, how: at < 0 ? 'first' : `${way} #${at}` }
}

/** `1_a=t1 2_b=t2!<1 baseline:2:1_a`, as `folderOf` reads it. */
export function lineOfImage({ files, baseline }: Folder): string {
  const names = files.map((one) => {
    const { file, directives } = one
    const { afterRollout, noTransaction, breaksBefore } = directives
    const marks = `${afterRollout ? '!' : ''}${noTransaction ? '&' : ''}`
    return `${file}=${smallText(one)}${marks}${breaksBefore === undefined ? '' : `<${breaksBefore}`}`
  })
  const covers = baseline?.covers?.map(({ file }) => file).join(',')
  const last = baseline && `baseline:${baseline.upto}${covers === undefined ? '' : `:${covers}`}`
  return [...names, ...(last === undefined ? [] : [last])].join(' ')
}

/** A baseline that does not say what it stands for needs its last file; one that does may outlive it. */
function imageOf(files: readonly Migration[], baseline: Folder['baseline']): Folder {
  const sorted = files.toSorted(compareNames)
  const isValid = baseline?.covers !== undefined || sorted.some((f) => f.version === baseline?.upto)
  const kept = isValid ? baseline : undefined
  const versions = new Set([...sorted, ...(kept?.covers ?? [])].map(({ version }) => version))
  // A folder is refused where a file breaks images before a version that is not there, or behind it.
  const valid = sorted.map((file) => {
    const { breaksBefore } = file.directives
    if (breaksBefore === undefined) return file
    const isRight = versions.has(breaksBefore) && breaksBefore <= file.version
    return isRight ? file : { ...file, directives: { ...file.directives, breaksBefore: undefined } }
  })
  return { dir: 'sql', files: valid, baseline: kept, warnings: [] }
}

interface Making {
  readonly base: Folder
  readonly other: Folder
  readonly rows: readonly LedgerRow[]
  readonly steps: readonly Step[]
  readonly random: Random
  readonly newText: NewText
}

const changes = {
  rerun: ({ base }: Making) => base,
  append: ({ base, random, newText }: Making) => {
    const highest = highestOf(base)
    const file = newFile(highest + BigInt(1 + random.below(3)), random, newText)
    return imageOf([...base.files, file], base.baseline)
  },
  insert: ({ base, random, newText }: Making) =>
    imageOf([...base.files, newFile(freeVersion(base, random), random, newText)], base.baseline),
  remove: ({ base, random }: Making) => replaced(base, random, () => []),
  renumber: ({ base, steps, random }: Making) => {
    const begun = new Set(steps.map(({ file }) => file))
    const isBegun = base.files.some(({ file }) => begun.has(file))
    return replaced(
      base,
      random,
      (file) => [
        fileOf(nameOf(freeVersion(base, random), random), smallText(file), file.directives),
      ],
      isBegun ? ({ file }) => begun.has(file) : undefined,
    )
  },
  /** A file that is not applied under its name gets another text. */
  edit: ({ base, rows, random, newText }: Making) => {
    const applied = new Set(rows.map(({ name }) => name))
    return replaced(
      base,
      random,
      (one) => {
        const { file, directives } = one
        // Of several statements only the last, since the others may be done.
        const begin = smallText(one).split('.').slice(0, -1)
        return [fileOf(file, [...begin, newText()].join('.'), directives)]
      },
      ({ file }) => !applied.has(file),
    )
  },
  cosmetic: ({ base, random }: Making) =>
    replaced(base, random, (one) => {
      const text = smallText(one)
      const other = text.endsWith("'") ? text.replace(/'+$/, '') : `${text}'`
      return [fileOf(one.file, other, one.directives)]
    }),
  breaks: ({ base, random }: Making) =>
    replaced(base, random, (one) => {
      const { file, version, directives } = one
      const versions = base.files.map((f) => f.version).filter((each) => each <= version)
      const breaksBefore = random.oneIn(2) ? undefined : random.pick(versions)
      return [fileOf(file, smallText(one), { ...directives, breaksBefore })]
    }),
  squash: ({ base, random }: Making) => {
    const upto = base.files[random.below(base.files.length)]?.version
    if (upto === undefined) return base
    const covers = [
      ...(base.baseline?.covers ?? []).filter(({ version }) => version <= upto),
      ...base.files.filter(({ version }) => version <= upto),
    ].map(({ file, meaning }) => ({ ...coverOf(file, ''), meaning }))
    const kept = base.files.filter(({ version }) => version > upto || random.oneIn(2))
    const names = new Map(covers.map((entry) => [entry.version, entry]))
    const entries = [...names.values()].toSorted(compareNames)
    const version = String(upto)
    const isExplicit = random.oneIn(2)
    const files = isExplicit
      ? kept
      : base.files.filter((f) => kept.includes(f) || f.version === upto)
    const baseline = {
      text: 'b',
      checksum: 'b',
      upto,
      version,
      covers: isExplicit ? entries : undefined,
    }
    return imageOf(files, baseline)
  },
  /** Two branches together; where they contradict each other the first one stays. */
  merge: ({ base, other }: Making) => {
    const taken = new Set(base.files.map(({ version }) => version))
    const more = other.files.filter(({ version }) => !taken.has(version))
    return imageOf([...base.files, ...more], base.baseline ?? other.baseline)
  },
} as const satisfies Record<string, (making: Making) => Folder>

const ways = [
  'append',
  'append',
  'append',
  'insert',
  'renumber',
  'remove',
  'squash',
  'rerun',
  'edit',
  'cosmetic',
  'breaks',
  'merge',
] as const

/** One file in another form, or without it. */
function replaced(
  { files, baseline }: Folder,
  random: Random,
  by: (file: Migration) => Migration[],
  which?: (file: Migration) => boolean,
): Folder {
  const open = which === undefined ? files : files.filter(which)
  const file = open[random.below(open.length)]
  if (file === undefined) return imageOf(files, baseline)
  return imageOf([...files.filter((each) => each !== file), ...by(file)], baseline)
}

function newFile(version: bigint, random: Random, newText: NewText): Migration {
  const directives: Partial<Directives> = {
    afterRollout: random.oneIn(5),
    noTransaction: random.oneIn(3),
  }
  const text = someText(random, newText)
  const isLong = directives.noTransaction === true && text !== ''
  const whole = isLong ? `${text}.${newText()}.${newText()}` : text
  return fileOf(nameOf(version, random), whole, directives)
}

/** Mostly a text of its own, sometimes one that other files have, too, or none. */
function someText(random: Random, newText: NewText): string {
  return random.oneIn(5) ? random.pick(['grant', 'vacuum', '']) : newText()
}

function nameOf(version: bigint, random: Random): string {
  return `${version}_${random.pick(['a', 'b', 'c'])}`
}

function highestOf({ files, baseline }: Folder): bigint {
  const [last = 0n, upto = 0n] = [files.at(-1)?.version, baseline?.upto]
  return last > upto ? last : upto
}

/** A version that the image has not, of those up to a little above its highest. */
function freeVersion(image: Folder, random: Random): bigint {
  const { files, baseline } = image
  const taken = new Set([...files, ...(baseline?.covers ?? [])].map(({ version }) => version))
  for (;;) {
    const version = BigInt(1 + random.below(Number(highestOf(image)) + 3))
    if (!taken.has(version)) return version
  }
}
