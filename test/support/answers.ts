import type { Fate, Frame } from './proxy.ts'

/**
 * A fate for a proxy: the first answer to a message of this form is lost and the connection cut, when
 * the server has done what it says.
 *
 * @param onlyOnce - false: from then on nothing gets through any more
 */
export function losingAnswerTo(form: RegExp, onlyOnce = true): (frame: Frame) => Fate {
  let state: 'before' | 'sent' | 'cut' = 'before'
  return ({ from, kind, body }) => {
    if (state === 'cut') return onlyOnce ? 'pass' : 'cut'
    if (from === 'client') state = kind === 'Q' && form.test(body.toString()) ? 'sent' : 'before'
    if (from === 'server' && kind === 'C' && state === 'sent') state = 'cut'
    return state === 'cut' ? 'cut' : 'pass'
  }
}
