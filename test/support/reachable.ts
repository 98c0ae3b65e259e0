import { installedMajors, startServer, type Server } from './server.ts'

/** A PostgreSQL of this machine that pods reach: it listens everywhere, and asks everybody for a password. */
export async function startReachable(): Promise<Server> {
  const server = await startServer(installedMajors().at(-1) ?? 18, [
    'fsync=off',
    "listen_addresses='*'",
    'max_connections=200',
  ])
  server.write({ 'pg_hba.conf': 'local all all trust\nhost all all all scram-sha-256\n' })
  await server.reload()
  const url = new URL(server.url)
  url.hostname = process.env['TEST_CLUSTER_MACHINE'] ?? url.hostname
  return { ...server, url: url.href }
}
