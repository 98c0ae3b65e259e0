/** The variables that tell libpq's programs the same as a connection string. */
export function libpqEnvironment(url: string): Record<string, string | undefined> {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    PATH: process.env['PATH'],
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
    PGCLIENTENCODING: 'UTF8',
  }
}
