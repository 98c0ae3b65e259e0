/** SQLSTATEs of the guard. Class LS is not PostgreSQL's. */
export const guardStates = {
  suspected: 'LS006',
  violated: 'LS007',
  unreadable: 'LS008',
  changed: 'LS009',
} as const
