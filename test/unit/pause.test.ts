import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../../src/pause.ts'

const longMs = 20_000

test('a stop ends a pause at once, with the reason of the stop', { timeout: 5_000 }, async () => {
  const stop = new AbortController()
  const paused = pause(longMs, stop.signal)
  const reason = new Error('told to stop')
  stop.abort(reason)
  await assert.rejects(paused, reason)
  await assert.rejects(pause(longMs, stop.signal), reason)
})

test('a pause that nobody stops ends by itself', { timeout: 5_000 }, async () => {
  await pause(1, new AbortController().signal)
})
