import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitStatements, tokensOf } from '../../src/files/statements.ts'

/** The statements of a text as they are written. */
function split(text: string): string[] {
  return splitStatements(text).statements.map(({ start, end }) => text.slice(start, end))
}

for (const [what, text, expected] of [
  ['nothing', '', []],
  ['comments and semicolons', ' ;; -- a;\n /* b; */ ;', []],
  ['two statements', 'select 1; select 2', ['select 1', 'select 2']],
  ['a comment in front belongs to none', '-- a\nselect 1 -- b;\n;', ['select 1']],
  ['nested comments', '/* a /* ; */ ; */ select 1; select 2', ['select 1', 'select 2']],
  ['a comment to a lone CR', '--a;\rselect 1', ['select 1']],
  ['quotes', `select 'a;''b;', "c;""d;"; x`, [`select 'a;''b;', "c;""d;"`, 'x']],
  ['a backslash is a character', String.raw`select '\'; x`, [String.raw`select '\'`, 'x']],
  ['but not in E', String.raw`select e'\';', 'a'; x`, [String.raw`select e'\';', 'a'`, 'x']],
  [
    'a string goes on behind a line end',
    "select E'a' -- c\n '\\';'; x",
    ["select E'a' -- c\n '\\';'", 'x'],
  ],
  ['dollar quotes', 'select $$;$$, $a$;$$;$a$; x', ['select $$;$$, $a$;$$;$a$', 'x']],
  ['a dollar within a name', 'select a$b$; select c$b$', ['select a$b$', 'select c$b$']],
  ['a dollar quote behind a number', 'select 1$a$;$a$; x', ['select 1$a$;$a$', 'x']],
  ['a parameter', 'select $1; x', ['select $1', 'x']],
  ['parentheses', 'create rule r as on insert to t do (a; b); x', undefined],
  [
    'the body of a function',
    `create function f() returns int language sql
       begin atomic; select case when true then 1 end; select 2 as end; end; x`,
    undefined,
  ],
  ['a function named begin', 'create function begin() returns int as $$;$$; x', undefined],
  ['a name before ATOMIC', 'select begin atomic; x', ['select begin atomic', 'x']],
  ['a command of psql', 'select 1;\n\\restrict a;b\nselect 2', undefined],
] as const) {
  test(`statements: ${what}`, () => {
    const found = split(text)
    if (expected) assert.deepEqual(found, expected)
    else assert.equal(found.length, /psql/.test(what) ? 3 : 2, found.join('\n---\n'))
  })
}

for (const [text, what, at] of [
  [`select 'a`, 'string', 7],
  [`select 'a''`, 'string', 7],
  [`select e'a\\'`, 'string', 7],
  ['select "a', 'name', 7],
  ['select $a$ $b$', 'dollar quote', 7],
  ['select 1 /* /* */', 'comment', 9],
] as const) {
  test(`what is left open is told: ${text}`, () => {
    assert.deepEqual(splitStatements(text).unclosed, { what, at })
  })
}

test('what stands before the last semicolon is sure', () => {
  assert.equal(splitStatements('a; b; c').closedUntil, 5)
  assert.equal(splitStatements("a; 'b;").closedUntil, 2)
})

test('tokens: words in upper case, others as they are written', () => {
  const text = String.raw`create  Ünder_x "Aß" <=/*c*/1.5e3::x -.5 $1 U&'\0041' "a".b`
  assert.deepEqual(
    tokensOf(text, { start: 0, end: text.length }).map(
      ({ kind, text: token }) => `${kind} ${token}`,
    ),
    [
      'word CREATE',
      'word ÜNDER_X',
      'name "Aß"',
      'operator <=',
      'number 1.5e3',
      'operator ::',
      'word X',
      'operator -',
      'number .5',
      'number $1',
      String.raw`string U&'\0041'`,
      'name "a"',
      'mark .',
      'word B',
    ],
  )
})

for (const [text, tokens] of [
  ['a=-1', ['A', '=', '-', '1']],
  ['a@-1 <-+ b', ['A', '@-', '1', '<', '-', '+', 'B']],
  ['x[1:-1] y::int :=', ['X', '[', '1', ':', '-', '1', ']', 'Y', '::', 'INT', ':=']],
  ['1..2', ['1', '..', '2']],
  ["X'a''b' N'a''b'", ["X'a'", "'b'", "N'a''b'"]],
] as const) {
  test(`tokens: ${text}`, () => {
    const found = tokensOf(text, { start: 0, end: text.length })
    assert.deepEqual(
      found.map(({ text: token }) => token),
      tokens,
    )
  })
}
