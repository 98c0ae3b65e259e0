import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FailureCode } from '../../src/errors.ts'
import { readFolder, type Folder } from '../../src/files/folder.ts'
import { controlCharacter, failureIn, told } from '../support/failure.ts'
import { folderOf } from '../support/folder.ts'

type Files = Readonly<Record<string, string | Buffer>>

const one = { '0001_a.sql': 'select 1;\n' }

async function read(files: Files, maxBytes = 1_000): Promise<Folder> {
  using folder = folderOf(files)
  return await readFolder(folder.path, maxBytes)
}

/** All that is said of a folder that is refused. */
async function refused(code: FailureCode, files: Files): Promise<string> {
  return told(await failureIn(code, read(files)))
}

function namesOf(folder: Folder): string[] {
  return folder.files.map(({ file }) => file)
}

test('a folder is read whole, in order of application', async () => {
  const folder = await read({
    '10_c.sql': 'c',
    '9_b.sql': 'b',
    '00000000000000000001_a.sql': 'a',
    '99999999999999999999_d.sql': 'd',
  })
  assert.deepEqual(
    folder.files.map(({ file, version, text }) => [file, version, text]),
    [
      ['00000000000000000001_a.sql', 1n, 'a'],
      ['9_b.sql', 9n, 'b'],
      ['10_c.sql', 10n, 'c'],
      ['99999999999999999999_d.sql', 99_999_999_999_999_999_999n, 'd'],
    ],
  )
  assert.deepEqual(folder.warnings, [])
  assert.equal(folder.baseline, undefined)
})

test('the checksum is SHA-256 over the bytes, as sha256sum tells it', async () => {
  const bytes = Buffer.from("\u{FEFF}select 'é';\r\n")
  using folder = folderOf({ '0001_a.sql': bytes })
  const [file] = (await readFolder(folder.path, 1_000)).files
  assert.equal(file?.checksum, hash('sha256', bytes))
  assert.equal(file?.text, `select 'é';\r\n`)
  assert.notEqual(
    file?.checksum,
    (await read({ '0001_a.sql': file?.text ?? '' })).files[0]?.checksum,
  )
})

test('a byte order mark is left out, and said', async () => {
  const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('select 1')])
  const folder = await read({ '0001_a.sql': bytes, '0002_b.sql': 'b' })
  assert.equal(folder.files[0]?.text, 'select 1')
  assert.deepEqual(folder.warnings, ['0001_a.sql begins with a byte order mark, which is left out'])
})

test('a file may be empty, or hold nothing but comments', async () => {
  const texts = ['', ' \t\r\n', '\u{FEFF}', '-- a comment', ';;', 'select 1']
  const { files } = await read(Object.fromEntries(texts.map((text, i) => [`${i}_a.sql`, text])))
  assert.deepEqual(
    files.map(({ meaning }) => meaning.statements.length),
    [0, 0, 0, 0, 0, 1],
  )
})

test('what is not an SQL file, or begins with a dot, is no matter', async () => {
  const names = namesOf(
    await read({
      ...one,
      'README.md': '',
      '.0002_b.sql': '',
      '.sql': '',
      '0003_c.sql~': '',
      sql: '',
    }),
  )
  assert.deepEqual(names, ['0001_a.sql'])
})

for (const [what, files, said] of [
  ['is empty', {}, /holds no SQL file to apply: it is empty/],
  ['has only a README', { 'README.md': '' }, /it holds 1 other/],
  ['has only hidden files', { '.0001_a.sql': '', '.b': '' }, /it holds 2 other/],
  [
    'has only a baseline',
    { 'baseline.sql': '-- lockstep: baseline 1\n' },
    /stands alone: there is no SQL file to apply/,
  ],
] as const satisfies [string, Files, RegExp][]) {
  test(`a folder that ${what} is a mistake, not “nothing to do”`, async () => {
    assert.match(await refused('FOLDER_EMPTY', files), said)
  })
}

test('a folder that is missing, or is a file, or a link in a circle, is told as such', async () => {
  using folder = folderOf(one)
  symlinkSync('circle', join(folder.path, 'circle'))
  for (const [name, said] of [
    ['missing', /cannot read the folder .*missing: there is no such path/],
    ['0001_a.sql', /cannot read the folder .*0001_a.sql: it is not a folder/],
    ['circle', /its links go round in a circle/],
  ] as const) {
    const reading = readFolder(join(folder.path, name), 1_000)
    assert.match((await failureIn('FOLDER_UNREADABLE', reading)).message, said)
  }
})

test('names that cannot be read are all told, with the commands that mend them', async () => {
  const files = { ...one, 'V2__b.sql': '', '3-c d.sql': '', 'R__views.sql': '', '0004_d.SQL': '' }
  assert.deepEqual((await refused('FILE_NAME_INVALID', files)).split('\n').toSorted(), [
    '0004_d.SQL is not named VERSION_NAME.sql, as 0001_create_users.sql is',
    '3-c d.sql is not named VERSION_NAME.sql, as 0001_create_users.sql is',
    'R__views.sql is not named VERSION_NAME.sql, as 0001_create_users.sql is',
    'V2__b.sql is not named VERSION_NAME.sql, as 0001_create_users.sql is',
    "git mv '3-c d.sql' 0003_c_d.sql",
    'git mv 0004_d.SQL 0004_d.sql',
    'git mv V2__b.sql 0002_b.sql',
    'to mend it:',
  ])
})

test('a mended version is padded like the others of the folder', async () => {
  const said = await refused('FILE_NAME_INVALID', { '20240101120000_a.sql': '', 'V2__b.sql': '' })
  assert.match(said, /^git mv V2__b\.sql 00000000000002_b\.sql$/m)
})

test('where no name can be guessed it is said how names are', async () => {
  assert.match(
    await refused('FILE_NAME_INVALID', { 'views.sql': '' }),
    /rename it as 0001_what_it_does/,
  )
})

test('the name of the baseline has one spelling', async () => {
  for (const name of ['Baseline.sql', 'baseline.SQL', 'BASELINE.sql']) {
    assert.match(await refused('FILE_NAME_INVALID', { ...one, [name]: '' }), new RegExp(name))
  }
})

for (const [what, files, said] of [
  ['of one version', { '7_a.sql': '', '7_b.sql': '' }, '7_a.sql and 7_b.sql'],
  ['of one number, padded', { '007_b.sql': '', '7_a.sql': '' }, '007_b.sql and 7_a.sql'],
  ['that differ in case', { '1_a.sql': '', '1_A.sql': '' }, '1_A.sql and 1_a.sql'],
  [
    'of 20 digits',
    { '99999999999999999999_a.sql': '', '99999999999999999999_b.sql': '' },
    '_b.sql',
  ],
] as const) {
  test(`two files ${what} are refused`, async () => {
    assert.match(
      await refused('FILE_NAME_TWICE', files),
      new RegExp(`${said} have the same version`),
    )
  })
}

test('all twins are told, and long numbers that doubles would take for one are none', async () => {
  const files = { '1_a.sql': '', '1_b.sql': '', '1_c.sql': '', '2_a.sql': '', '2_b.sql': '' }
  assert.equal((await refused('FILE_NAME_TWICE', files)).match(/have the same version/g)?.length, 3)
  assert.equal(
    (await read({ '9007199254740992_a.sql': '', '9007199254740993_a.sql': '' })).files.length,
    2,
  )
})

test('twins of which one goes backwards are told what to leave out', async () => {
  const said = await refused('FILE_NAME_TWICE', { '1_a.up.sql': '', '1_a.down.sql': '' })
  assert.match(said, /leave the \.down\.sql files out/)
})

test('bytes that are not text are told by line, column and offset, all files at once', async () => {
  const said = await refused('FILE_CONTENT_INVALID', {
    '0001_nul.sql': 'select 1;\nselect \0;',
    '0002_latin.sql': Buffer.concat([Buffer.from("-- ü🐘\r\nselect 'é"), Buffer.from([0xe9])]),
    '0003_utf16.sql': Buffer.from('select 1', 'utf16le'),
    '0004_good.sql': 'select 1',
    'baseline.sql': '\0',
  })
  assert.deepEqual(said.split('\n').toSorted(), [
    '0001_nul.sql:2:8 holds a NUL byte, at byte 17',
    '0002_latin.sql:2:10 holds byte 0xE9, which is not UTF-8, at byte 21',
    '0003_utf16.sql:1:2 holds a NUL byte (a UTF-16 file?), at byte 1',
    'baseline.sql:1:1 holds a NUL byte (a UTF-16 file?), at byte 0',
    'save it as UTF-8 text',
  ])
})

test('a file may be as large as it is allowed to be, and not a byte larger', async () => {
  assert.equal((await read({ '0001_a.sql': 'é'.repeat(500) }, 1_000)).files.length, 1)
  const tooLarge = read({ '0001_a.sql': 'é'.repeat(500) }, 999)
  assert.match(
    (await failureIn('FILE_CONTENT_INVALID', tooLarge)).message,
    /0001_a\.sql has 1000 bytes, more than LOCKSTEP_MAX_FILE_SIZE allows \(999\)/,
  )
})

test('files around 64 KiB, to which they share a place, are read whole, each its own', async () => {
  const texts = [10, 65_535, 20, 65_536, 65_537, 30, 200_000].map(
    (size, index) => `${index}${'x'.repeat(size - 1)}`,
  )
  const files = texts.map((text, index) => [`000${index}_a.sql`, text])
  const { files: found } = await read(Object.fromEntries(files), 2 ** 20)
  assert.ok(found.every(({ text }, index) => text === texts[index]))
  assert.deepEqual(
    found.map(({ checksum }) => checksum),
    texts.map((text) => hash('sha256', text)),
  )
})

test('a directive that is not known is refused with its place, in all files at once', async () => {
  const said = await refused('DIRECTIVE_UNKNOWN', {
    ...one,
    '0002_b.sql': '-- a note\n-- lockstep: no-transactoin\ncreate index;',
    '0003_c.sql': '-- lockstep: Alow delete on leads\n-- lockstep: baseline 1\n',
  })
  assert.match(said, /^0002_b\.sql:2:1 directive “no-transactoin” is not known/m)
  assert.match(said, /^0003_c\.sql:1:1 directive “alow” is not known/m)
  assert.match(said, /^0003_c\.sql:2:1 directive “baseline” belongs into baseline\.sql/m)
})

test('a file may wait for the end of the rollout, and may break older images', async () => {
  const { files } = await read({
    ...one,
    '0002_b.sql': '-- lockstep: after-rollout\n-- lockstep: breaks-before 0001\ndrop table a;',
  })
  const { afterRollout, breaksBefore } = files[1]?.directives ?? {}
  assert.deepEqual([afterRollout, breaksBefore], [true, 1n])
})

for (const [line, said] of [
  ['after-rollout soon', /0002_b\.sql:1:1 after-rollout stands alone in its line/],
  ['no-transaction 1', /0002_b\.sql:1:1 no-transaction stands alone in its line/],
  ['breaks-before', /0002_b\.sql:1:1 breaks-before names one version/],
  ['breaks-before 0001_a.sql', /0002_b\.sql:1:1 breaks-before names one version/],
  ['breaks-before 7', /0002_b\.sql:1:1 breaks-before names a version behind the file itself/],
  ['breaks-before 0', /0002_b\.sql:1:1 breaks-before names a version of which no file is here/],
  ['lock-timeout', /0002_b\.sql:1:1 lock-timeout takes one duration such as 500ms/],
  ['lock-timeout 2 s', /0002_b\.sql:1:1 lock-timeout takes one duration/],
  ['statement-timeout 99999h', /0002_b\.sql:1:1 statement-timeout takes one duration/],
  ['allow delete', /0002_b\.sql:1:1 allow is written as/],
  ['allow deletes on leads', /0002_b\.sql:1:1 allow knows the words delete,/],
  [
    'lock-timeout 1s\n-- lockstep: lock-timeout 2s',
    /0002_b\.sql:2:1 lock-timeout stands in line 1 already/,
  ],
  [
    'after-rollout\nselect 1;\n /* a */ -- lockstep: no-transaction',
    /0002_b\.sql:3:10 a directive must stand in the comment lines that the file begins with/,
  ],
] as const) {
  test(`a file that says “${line}” is refused`, async () => {
    const files = { ...one, '0002_b.sql': `-- lockstep: ${line}\n`, '0003_c.sql': '' }
    assert.match(await refused('DIRECTIVE_INVALID', files), said)
  })
}

test('a baseline is no file, and tells up to which version it builds', async () => {
  const text = '-- A dump.\n-- lockstep: baseline 002\ncreate table a ();\n'
  const { files, baseline } = await read({ ...one, '0002_b.sql': '', 'baseline.sql': text })
  assert.deepEqual(baseline, {
    text,
    checksum: hash('sha256', text),
    upto: 2n,
    version: '002',
    covers: undefined,
  })
  assert.deepEqual(
    files.map(({ file }) => file),
    ['0001_a.sql', '0002_b.sql'],
  )
})

test('a baseline may say which files it stands for, and needs none of them then', async () => {
  const meanings = ['a', 'b'].map((digit) => digit.repeat(64))
  const lines = ['0001_a.sql', '0002_b.sql'].map(
    (name, at) => `-- lockstep: covers ${name} ${meanings[at]}\n`,
  )
  const text = `-- lockstep: baseline 2\n${lines.join('')}`
  const { files, baseline } = await read({ 'baseline.sql': text })
  assert.deepEqual(files, [])
  assert.deepEqual(
    baseline?.covers?.map(({ file, version, checksum, meaning }) => [
      file,
      version,
      checksum,
      meaning.file,
    ]),
    [
      ['0001_a.sql', 1n, '', meanings[0]],
      ['0002_b.sql', 2n, '', meanings[1]],
    ],
  )
})

for (const [header, code, said] of [
  [
    `-- lockstep: baseline 1\n-- lockstep: covers 0001_a.sql abc\n`,
    'BASELINE_INVALID',
    /^baseline\.sql:2:1 does not name a file and its meaning/,
  ],
  [
    `-- lockstep: baseline 1\n-- lockstep: covers ${'a'.repeat(64)}\n`,
    'BASELINE_INVALID',
    /2:1 does not name/,
  ],
  [
    `-- lockstep: baseline 1\n-- lockstep: covers 0002_b.sql ${'a'.repeat(64)}\n`,
    'BASELINE_INVALID',
    /2:1 0002_b\.sql is behind version 1/,
  ],
  [
    `-- lockstep: baseline 2\n${`-- lockstep: covers 0002_b.sql ${'a'.repeat(64)}\n`.repeat(2)}`,
    'BASELINE_INVALID',
    /3:1 0002_b\.sql has the version of a line before/,
  ],
  ['', 'BASELINE_INVALID', /does not say once/],
  ['-- lockstep: baseline\n', 'BASELINE_INVALID', /does not say once/],
  ['-- lockstep: baseline one\n', 'BASELINE_INVALID', /does not say once/],
  ['-- lockstep: baseline 1 2\n', 'BASELINE_INVALID', /does not say once/],
  ['-- lockstep: baseline -1\n', 'BASELINE_INVALID', /does not say once/],
  ['-- lockstep: baseline 0001_a.sql\n', 'BASELINE_INVALID', /does not say once/],
  ['-- lockstep: baseline 1\n-- lockstep: baseline 1\n', 'BASELINE_INVALID', /does not say once/],
  [
    'select 1;\n-- lockstep: baseline 1\n',
    'BASELINE_INVALID',
    /2:1 a directive must stand in the comment lines/,
  ],
  [
    '-- lockstep: baseline 0042\n',
    'BASELINE_INVALID',
    /files up to 0042, but none of that version/,
  ],
  ['-- lockstep: baselin 1\n', 'DIRECTIVE_UNKNOWN', /baseline\.sql:1:1 directive “baselin”/],
  ['-- lockstep: baseline 1\n\n-- lockstep: x\n', 'DIRECTIVE_UNKNOWN', /baseline\.sql:3:1.*“x”/],
] as const) {
  test(`a baseline that begins with ${JSON.stringify(header)} is refused`, async () => {
    assert.match(await refused(code, { ...one, 'baseline.sql': header }), said)
  })
}

// As the kubelet lays it out: a folder of each generation, a link to the newest, a link for each file.
test('a ConfigMap mount is read once, and from one generation', async () => {
  using mount = folderOf({})
  const generation = join(mount.path, '..2026_01_02_03_04_05.123456789')
  mkdirSync(generation)
  writeFileSync(join(generation, '0001_a.sql'), 'a')
  writeFileSync(join(generation, 'baseline.sql'), '-- lockstep: baseline 1\n')
  symlinkSync('..2026_01_02_03_04_05.123456789', join(mount.path, '..data'))
  // The link of a file that the newest generation has no longer: the kubelet removes it a moment later.
  for (const name of ['0001_a.sql', 'baseline.sql', '0002_gone.sql']) {
    symlinkSync(join('..data', name), join(mount.path, name))
  }
  const folder = await readFolder(mount.path, 1_000)
  assert.deepEqual(namesOf(folder), ['0001_a.sql'])
  assert.equal(folder.baseline?.upto, 1n)
  assert.equal(folder.dir, mount.path)
})

test('a file may be a link', async () => {
  using folder = folderOf({ target: 'select 1' })
  symlinkSync('target', join(folder.path, '0001_a.sql'))
  assert.equal((await readFolder(folder.path, 1_000)).files[0]?.text, 'select 1')
})

for (const [what, make, said] of [
  ['a folder', (path: string) => mkdirSync(path), 'is not a regular file'],
  ['a link that leads nowhere', (path: string) => symlinkSync('gone', path), 'no such path'],
  ['a link to itself', (path: string) => symlinkSync('0002_b.sql', path), 'round in a circle'],
] as const) {
  test(`${what} under the name of a file is refused`, async () => {
    using folder = folderOf(one)
    make(join(folder.path, '0002_b.sql'))
    const failure = await failureIn('FILE_UNREADABLE', readFolder(folder.path, 1_000))
    assert.match(failure.message, new RegExp(`0002_b\\.sql.* ${said}`))
  })
}

// In a process of its own: one that opened them would read for ever, and no timer could end it.
for (const [what, command, ...args] of [
  ['a FIFO', 'mkfifo'],
  ['a device', 'ln', '-s', '/dev/zero'],
] as const) {
  test(`${what} is refused without being opened`, () => {
    using folder = folderOf(one)
    execFileSync(command, [...args, join(folder.path, '0002_b.sql')])
    const module = join(import.meta.dirname, '..', '..', 'src', 'files', 'folder.ts')
    const script = `
      const { readFolder } = await import(${JSON.stringify(module)})
      try { await readFolder(process.argv[1], 1_000) } catch ({ message }) { console.log(message) }`
    const { stdout } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script, folder.path],
      { encoding: 'utf8', timeout: 5_000, killSignal: 'SIGKILL' },
    )
    assert.equal(stdout, '0002_b.sql is not a regular file\n')
  })
}

/** Root may read everything, so for a while this process is somebody else. */
function unprivileged(): Disposable {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  return {
    [Symbol.dispose]: () => {
      if (isRoot) process.seteuid?.(0)
    },
  }
}

test('a folder or a file that may not be read is told as such', async () => {
  using folder = folderOf({ ...one, '0002_b.sql': '' })
  chmodSync(folder.path, 0o755)
  chmodSync(join(folder.path, '0002_b.sql'), 0o000)
  const readIt = () => readFolder(folder.path, 1_000)
  {
    using _ = unprivileged()
    const { message } = await failureIn('FILE_UNREADABLE', readIt())
    assert.equal(message, 'cannot read 0002_b.sql: permission denied')
  }
  rmSync(join(folder.path, '0002_b.sql'))
  chmodSync(folder.path, 0o000)
  {
    using _ = unprivileged()
    assert.match((await failureIn('FOLDER_UNREADABLE', readIt())).message, /: permission denied$/)
  }
  chmodSync(folder.path, 0o700)
})

for (const [what, character] of [
  ['a bell', '\u{7}'],
  ['an escape', '\u{1B}[2J'],
  ['a line feed', '\n'],
  ['a carriage return', '\r'],
  ['a delete', '\u{7F}'],
  ['a C1 control sequence introducer', '\u{9B}2J'],
  ['a line separator', '\u{2028}'],
  ['what turns the order of letters round', '\u{202E}'],
  ['an isolate of another direction', '\u{2066}'],
] as const) {
  test(`${what} in the name of a file never reaches a message raw`, async () => {
    for (const name of [`x${character}.sql`, `1-a${character}.sql`, `V2__b${character}c.sql`]) {
      const failure = await failureIn('FILE_NAME_INVALID', read({ ...one, [name]: '' }))
      for (const line of [failure.message, ...failure.more]) {
        assert.doesNotMatch(line, controlCharacter)
      }
    }
  })
}

for (const code of [0x07, 0x1b, 0x7f, 0x9b]) {
  test(`U+${code.toString(16)} in a directive never reaches a message raw`, async () => {
    for (const file of ['0002_b.sql', 'baseline.sql']) {
      const text = `-- lockstep: x${String.fromCodePoint(code)}\n`
      const failure = await failureIn('DIRECTIVE_UNKNOWN', read({ ...one, [file]: text }))
      for (const line of [failure.message, ...failure.more]) {
        assert.doesNotMatch(line, controlCharacter)
      }
    }
  })
}
