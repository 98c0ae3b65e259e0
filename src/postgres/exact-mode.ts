import { Suspicion } from './verdict.ts'

/** A file that does something else each time may raise other suspicions; not for ever. */
const mostTries = 3

/**
 * Tries, and where rows may be lost tries once more in exact mode, which alone decides.
 *
 * @param undo - rolls back a try that was in vain
 * @param first - of a try that has been made and rolled back already
 */
export async function exactly<T>(
  attempt: (suspicion: Suspicion | undefined) => Promise<T>,
  undo: () => Promise<unknown>,
  first?: Suspicion,
): Promise<T> {
  let suspicion = first
  for (let tries = first === undefined ? 0 : 1; ; tries += 1) {
    try {
      return await attempt(suspicion)
    } catch (error) {
      if (!(error instanceof Suspicion) || tries === mostTries) throw error
      suspicion = error.joined(suspicion)
      await undo()
    }
  }
}
