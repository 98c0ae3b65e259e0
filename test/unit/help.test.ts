import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaults } from '../../src/config.ts'
import { failures } from '../../src/errors.ts'
import { helpText } from '../../src/help.ts'
import { programVersion } from '../../src/version.ts'

test('the help lists every variable with its default, and every exit code', () => {
  const help = helpText()
  for (const [name, value] of Object.entries(defaults)) {
    assert.match(help, new RegExp(`^ +${name} +${value} +\\w`, 'm'))
  }
  for (const exit of new Set([0, 2, ...Object.values(failures).map((failure) => failure.exit)])) {
    assert.match(help, new RegExp(`\\b${exit}\\b`))
  }
  assert.match(help, new RegExp(`^lockstep ${programVersion.replaceAll('.', '\\.')}\n`))
})
