import type { AllowedLoss, Effects, GuardedTable, TableEffect } from '../events.ts'
import { count } from '../phrases.ts'

/** Beyond these a person reads the JSON. */
const mostLines = 6
const mostInline = 2
const mostCreated = 2

/** What a file did, a phrase for each table: `leads: 24 inserted, ACCESS EXCLUSIVE`. */
export function effectsText(effects: Effects, allowed: readonly AllowedLoss[]): string[] {
  const { tables, indexes, moreTables = 0, moreIndexes = 0 } = effects
  const created = tables.filter(isNew)
  const many = created.length + moreTables > mostCreated
  const inserted = created.reduce((sum, table) => sum + (table.inserted ?? 0), 0)
  const newIndexes = indexes.filter(({ change }) => change === 'created').length
  const goneIndexes = indexes.filter(({ change }) => change === 'dropped').length
  const lines = [
    ...allowed.map(allowedText),
    ...(many && created.length > 0
      ? [
          `${count(created.length, 'table')} created${inserted > 0 ? `, ${inserted} rows in them` : ''}`,
        ]
      : []),
    ...tables.filter((table) => !many || !isNew(table)).map(tableText),
    ...(newIndexes > 0 ? [`${indexCount(newIndexes)} created`] : []),
    ...(goneIndexes > 0 ? [`${indexCount(goneIndexes)} dropped`] : []),
    ...(moreTables + moreIndexes > 0 ? ['and more'] : []),
  ]
  return lines.length > mostLines
    ? [...lines.slice(0, mostLines - 1), `and ${lines.length - mostLines + 1} more`]
    : lines
}

/** A short list goes on in the line itself; a long one stands below. */
export function inlineOrBelow(lines: readonly string[]): { inline: string; below: string[] } {
  return lines.length > mostInline
    ? { inline: '', below: [...lines] }
    : {
        inline: lines
          .map((line) => `, ${line}`)
          .join(';')
          .replaceAll(';,', ';'),
        below: [],
      }
}

function isNew({ change }: TableEffect): boolean {
  return change === 'created'
}

function indexCount(number: number): string {
  return number === 1 ? '1 index' : `${number} indexes`
}

function tableText({ table, change, lock, inserted, updated, deleted }: TableEffect): string {
  const figures = { inserted, updated, deleted }
  const parts = [
    change,
    ...Object.entries(figures).map(([word, rows]) => rows && `${rows} ${word}`),
    lock === 'ROW EXCLUSIVE' || change === 'dropped' ? undefined : lock,
  ]
  return `${short(table)} ${parts.filter(Boolean).join(', ')}`
}

function allowedText({ table, what, rows }: AllowedLoss): string {
  const lost = rows === undefined ? what : `${what} ${count(rows, 'row')}`
  return `${short(table)}: it is allowed to ${lost}`
}

/** `leads 120, faqs about 24000`, and behind the run what explains the difference. */
export function guardedText(tables: readonly GuardedTable[]): string {
  const shown = tables.slice(0, mostTables).map(guardedTable)
  const left = tables.length - shown.length
  return [...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(', ')
}

const mostTables = 12

function guardedTable({
  table,
  rows,
  isEstimate,
  before,
  inserted,
  deleted,
}: GuardedTable): string {
  const name = short(table)
  if (rows === undefined) return `${name} not counted`
  const number = `${isEstimate ? 'about ' : ''}${rows}`
  if (before === undefined || before === rows || isEstimate) return `${name} ${number}`
  const others = rows - before - (inserted ?? 0) + (deleted ?? 0)
  const why = [
    inserted ? `${inserted} inserted` : '',
    deleted ? `${deleted} deleted` : '',
    others === 0 ? '' : `${others > 0 ? '+' : ''}${others} by others or unseen`,
  ]
  return `${name} ${number} (${before} before: ${why.filter((word) => word !== '').join(', ')})`
}

/** As people call it. */
export function short(table: string): string {
  return table.replace(/^public\./, '')
}
