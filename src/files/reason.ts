/** Why a path cannot be read, in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such path',
    ENOTDIR: 'it is not a folder',
    EACCES: 'permission denied',
    ELOOP: 'its links go round in a circle',
  }
  return reasons[code] ?? code
}
