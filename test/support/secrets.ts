/** Passwords that no output may hold: of the superuser, and of the role that owns each test's database. */
export const superuserPassword = 'canary-of-the-superuser'
export const canary = 'canary-p@ss:w0rd'
