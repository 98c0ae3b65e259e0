import { readFileSync, writeFileSync } from 'node:fs'
import { pageOf } from './support/guard-page.ts'

// Writes the truth table into docs/guard.md.
writeFileSync('docs/guard.md', pageOf(readFileSync('docs/guard.md', 'utf8')))
