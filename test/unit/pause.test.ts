import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause } from '../../src/pause.ts'

const hour = 3_600_000

test('a stop ends a pause at once, with the reason of the stop', async () => {
  const stop = new AbortController()
  const paused = pause(hour, stop.signal)
  const reason = new Error('told to stop')
  stop.abort(reason)
  await assert.rejects(paused, reason)
  await assert.rejects(pause(hour, stop.signal), reason)
})

test('a pause that nobody stops ends by itself', async () => {
  await pause(1, new AbortController().signal)
})
