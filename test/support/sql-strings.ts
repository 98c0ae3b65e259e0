import type { Random } from './random.ts'

/** SQL that PostgreSQL can parse, mostly, with all that could mislead a lexer. */
export function statements(random: Random): string {
  const count = random.below(4)
  const parts: string[] = []
  for (let index = 0; index <= count; index += 1) {
    parts.push(blank(random), statement(random), blank(random))
    if (index < count || random.oneIn(2)) parts.push(random.oneIn(8) ? ';;' : ';')
  }
  return parts.join('')
}

/** Pieces in a row, whether or not they make sense. */
export function soup(random: Random): string {
  const parts: string[] = []
  for (let left = random.below(14); left >= 0; left -= 1) {
    parts.push(random.oneIn(3) ? random.pick(pieces) : piece(random))
    if (random.oneIn(3)) parts.push(blank(random))
  }
  return parts.join('')
}

/** The text with something cut out, doubled, put in, or its end missing. */
export function damaged(whole: string, random: Random): string {
  let result = whole
  for (let left = random.below(3); left >= 0; left -= 1) {
    const from = random.below(result.length + 1)
    const until = from + random.below(6)
    const some = random.pick([random.pick(pieces), result.slice(from, until).repeat(2), '', '', ''])
    result = result.slice(0, from) + some + result.slice(random.oneIn(2) ? until : from)
  }
  // Half a character of two code units is no UTF-8.
  return result.toWellFormed()
}

/** Each of these, and each of these words. */
const characters = Array.from(
  '\'"$;()[],.:+-*/<>=~!@#%^&|`?\\ \n\r\t\f\v_0aeEuUxXbBnNé𝒳\u00a0\u2028',
)
const words =
  "-- /* */ $$ $a$ $é1$ '' \"\" e' U&' U&\" x' b' n' begin atomic end case create function or replace procedure " +
  "1. .. .5 1e 0x1F 0o7 0b1 1_000 1e+5 $1 $12a \\' \\\\ :: := => =- @- uescape"
const sayings = [
  'BEGIN ATOMIC',
  'create function f() returns int begin atomic',
  '\r\n',
  "'\n'",
  "' -- c\n '",
  "' /* c */\n'",
  '- -',
  '/ *',
  "'a' 'b'",
]
const pieces = [...characters, ...words.split(' '), ...sayings]

function statement(random: Random): string {
  const make = random.pick<(random: Random) => string>([
    (r) => `select ${list(r)}`,
    (r) =>
      `select ${list(r)} from ${name(r)} where ${expression(r)} ${operator(r)} ${expression(r)}`,
    (r) => `insert into ${name(r)} values (${list(r)}), (${list(r)})`,
    (r) => `create table ${name(r)} (${name(r)} int default ${expression(r)}, ${name(r)} text)`,
    (r) => `create rule ${name(r)} as on insert to ${name(r)} do (${body(r, 'select ')})`,
    (r) => `do ${dollar(r)}`,
    (r) => `comment on table ${name(r)} is ${text(r)}`,
    (r) => `create function ${name(r)}(a int) returns int language sql as ${dollar(r)}`,
    atomic,
    atomic,
    (r) => `begin${r.pick(['', ' isolation level serializable'])}`,
    (r) => r.pick(['commit', 'end', 'rollback', 'start transaction', 'savepoint a']),
    (r) => `create table ${r.pick(['begin', 'atomic', 'language'])} (atomic int, begin text)`,
    (r) => `select ${list(r)} end, ${name(r)} as end, begin, atomic`,
  ])
  return make(random)
}

function atomic(random: Random): string {
  const what = random.pick([
    'create function',
    'CREATE OR REPLACE FUNCTION',
    'create/**/procedure',
    'create or  replace procedure',
  ])
  const called = random.pick(['f', 'begin', 's.begin', '"begin"', 'atomic'])
  const takes = random.pick(['', 'begin atomic', 'a int', 'a int default (1)', 'atomic begin'])
  const returns = /function/i.test(what) ? random.pick(['returns int ', 'returns begin ']) : ''
  return `${what} ${called}(${takes}) ${returns}${blank(random)}begin${blank(random, ' ')}atomic ${body(random, 'select ')};${blank(random)}end`
}

/** Statements between semicolons, the last without one. */
function body(random: Random, verb: string): string {
  const parts: string[] = []
  for (let left = random.below(3); left >= 0; left -= 1) {
    parts.push(`${blank(random)}${verb}${list(random)}${random.oneIn(5) ? ' as end' : ''}`)
  }
  return parts.join(random.oneIn(4) ? ' ; ' : ';')
}

function list(random: Random): string {
  const parts: string[] = []
  for (let left = random.below(3); left >= 0; left -= 1) {
    const label = random.pick(['', '', '', ` as ${name(random)}`, ' end', ' as end', ' begin'])
    parts.push(expression(random) + label)
  }
  return parts.join(random.pick([',', ', ', ' , ']))
}

function expression(random: Random): string {
  switch (random.below(11)) {
    case 0:
      return `(${expression(random)})`
    case 1:
      return `case when ${expression(random)} then ${expression(random)} else ${text(random)} end`
    case 2:
      return `case ${expression(random)} when 1 then ${expression(random)} end`
    case 3:
      return `${expression(random)}${operator(random)}${expression(random)}`
    case 4:
      return dollar(random)
    case 5:
    case 6:
      return text(random)
    case 7:
      return name(random)
    case 8:
      return `(array[1,2])[1:${random.pick(['2', '-1', ':a'])}]`
    default:
      return number(random)
  }
}

function piece(random: Random): string {
  const make = random.pick([expression, text, name, dollar, number, operator, blank])
  return make(random)
}

function operator(random: Random): string {
  return random.pick([
    '+',
    '-',
    '=',
    '<>',
    '||',
    '=-',
    '@-',
    '->>',
    '<@',
    ' # ',
    '::',
    '!=-',
    '*-',
    '-+-',
  ])
}

function number(random: Random): string {
  return random.pick([
    '1',
    '1.',
    '.5',
    '1.5e3',
    '1e-5',
    '0xFf',
    '0o17',
    '0b101',
    '1_000',
    '$1',
    '$22',
  ])
}

function name(random: Random): string {
  return random.pick([
    'a',
    'B1',
    '_x',
    'a$b',
    'a$b$',
    'é',
    'e',
    'U',
    'n',
    'x',
    '"a;b"',
    '"a""b"',
    'U&"d\\0061"',
  ])
}

function dollar(random: Random): string {
  const tag = random.pick(['', 'a', 'é1', '_', 'body'])
  const inner = random.pick([';', "'", '"', '/*', '--', '$', '$x$', '\n', 'end;', '\\', '$ $', ''])
  return `$${tag}$${inner}${random.pick(['', ' ', inner])}$${tag}$`.replace('$$$', '$$ $')
}

function text(random: Random): string {
  const inner = random.pick([
    '',
    'a;b',
    "it''s",
    '"',
    '--',
    '/*',
    '$$',
    'é𝒳',
    '\\\\',
    '*/',
    '\n',
    '\r\n',
  ])
  const prefix = random.pick(['', '', '', 'e', 'E', 'n', 'U&', 'u&'])
  const more = random.pick(['', '', '', "\n'b;'", " \t\r\n '\\\\'"])
  const escaped = /e/i.test(prefix) && random.oneIn(2) ? "\\'" : ''
  return `${prefix}'${inner}${escaped}'${more}`
}

function blank(random: Random, atLeast = ''): string {
  return random.oneIn(3) ? atLeast : random.pick(blanks)
}

const blanks = [
  ' ',
  '\n',
  '\t',
  '\r\n',
  '\r',
  '\f',
  '  \n ',
  '-- ;\n',
  "--'\r",
  '--\r\n',
  '--/*\n',
  '/* ; */',
  '/* /* ; */ */',
  "/*'*/",
  '/* é */',
  '/**/',
  '/*/**/*/',
  '/***/',
  '/*-*/',
]
