import { StatusTrouble } from '../status-store.ts'
import type { Answer, Cluster, ClusterAccess, Question } from './client.ts'

/**
 * The cluster, anew for each question. The client is loaded by the first.
 *
 * @throws {StatusTrouble} where it is not known which cluster that is, or who we are there
 */
export async function reach(access: ClusterAccess): Promise<Cluster> {
  const { openCluster } = await import('./client.ts')
  const cluster = openCluster(access)
  if (typeof cluster === 'string') throw new StatusTrouble(cluster, { isLasting: true })
  return cluster
}

/** @throws {StatusTrouble} where no answer comes */
export async function ask(
  cluster: Cluster,
  question: Question,
  stop: AbortSignal,
): Promise<Answer> {
  try {
    return await cluster.ask(question, stop)
  } catch (error) {
    throw unreached(cluster, error, stop)
  }
}

function unreached({ server }: Cluster, error: unknown, stop: AbortSignal): StatusTrouble {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error'
  const known = /CERT|SIGNATURE/.test(code) ? `its certificate is not trusted (${code})` : code
  const reason = stop.aborted ? 'it has not answered in time' : (reasons[code] ?? known)
  return new StatusTrouble(`the API server ${server} cannot be reached: ${reason}`)
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  NO_CREDENTIALS: 'a certificate or a program that the kubeconfig names is missing, or fails',
}
