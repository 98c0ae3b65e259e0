/** Chance that can be repeated: the same seed gives the same numbers. */
export interface Random {
  /** From 0 up to 1. */
  fraction(): number
  /** A whole number from 0 up to the limit; 0 where there is none. */
  below(limit: number): number
  oneIn(chances: number): boolean
  pick<T>(choices: readonly [T, ...T[]] | readonly T[]): T
}

/** The seed of a test: LOCKSTEP_TEST_SEED where it is set, to repeat a failure. */
export function testSeed(fallback = 20261123): number {
  return Number(process.env['LOCKSTEP_TEST_SEED'] ?? fallback)
}

/** mulberry32: small, and good enough for tests. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(fraction() * limit)
  return {
    fraction,
    below,
    oneIn: (chances) => below(chances) === 0,
    pick: <T>(choices: readonly T[]): T => {
      const choice = choices[below(choices.length)]
      if (choice === undefined) throw new Error('nothing to pick from')
      return choice
    },
  }
}
