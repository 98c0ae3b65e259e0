import { nearest } from './nearest.ts'

/**
 * An unknown `LOCKSTEP_*` name near a known one is a typing mistake, which must not pass silently.
 * Others only warn, since a chart may be newer than the image; what Kubernetes sets for a Service
 * called `lockstep-...` says nothing.
 */
export function judgeNames(
  names: readonly string[],
  known: readonly string[],
): { problems: string[]; warnings: string[] } {
  const problems: string[] = []
  const warnings: string[] = []
  const serviceName =
    /^LOCKSTEP_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_.*)?)$/
  for (const name of names) {
    if (!name.startsWith('LOCKSTEP_') || known.includes(name) || serviceName.test(name)) continue
    const near = nearest(name, known)
    if (near !== undefined) problems.push(`${name} is not known; is ${near} meant?`)
    else warnings.push(`${name} is not known to this release and is ignored`)
  }
  const urls = ['DATABASE_URL', 'DATABASE_URL_FILE']
  if (!names.some((name) => urls.includes(name))) {
    const others = names.filter((name) => !name.startsWith('LOCKSTEP_'))
    const near = others.find((name) => nearest(name, urls) !== undefined)
    if (near !== undefined) problems.push(`${near} is set; is ${nearest(near, urls)} meant?`)
  }
  return { problems, warnings }
}
