import pretty from 'pino-pretty'

/** The stream that writes readable lines: the message alone, coloured by level on a terminal. */
export function prettyStream(fd: 1 | 2, isTerminal: boolean) {
  return pretty({
    destination: fd,
    sync: true,
    colorize: isTerminal,
    hideObject: true,
    customColors: { message: 'reset' },
    ignore: 'level,time,pid,hostname',
    messageFormat: (record, messageKey, _label, { colors }) => {
      const message = String(record[messageKey])
      const level = Number(record['level'])
      const [checkpoint = ''] = /^\S+/.exec(message) ?? []
      const paint = level >= 50 ? colors.red : level >= 40 ? colors.yellow : colors.cyan
      return paint(checkpoint) + message.slice(checkpoint.length)
    },
  })
}
