/** Modes of a lock, from the weakest with which rows can be changed. */
export const lockModes = [
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const

/** `RowExclusiveLock`, as PostgreSQL's table of locks has it, is 1, and so on. */
export const levelOfMode = lockModes
  .map((mode, index) => {
    const words = mode.split(' ').map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    return `when '${words.join('')}Lock' then ${index + 1}`
  })
  .join(' ')
