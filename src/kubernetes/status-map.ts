import { textOf, type Published } from '../published.ts'
import { StatusTrouble, type StatusStore } from '../status-store.ts'
import type { StatusTarget } from '../status-target.ts'
import type { Answer, ClusterAccess, Question } from './client.ts'
import { ask, reach } from './reach.ts'

export type { ClusterAccess } from './client.ts'

const fieldManager = 'lockstep'

/** The key that holds the whole document; the others are for people and `kubectl wait`. */
const documentKey = 'status.json'

/** A status in a ConfigMap. The client is loaded when it is first asked for. */
export class StatusMap implements StatusStore {
  readonly #target: Extract<StatusTarget, { kind: 'configmap' }>
  readonly #access: ClusterAccess
  #namespace: string | undefined

  constructor(target: Extract<StatusTarget, { kind: 'configmap' }>, access: ClusterAccess) {
    this.#target = target
    this.#access = access
    this.#namespace = target.namespace
  }

  get name(): string {
    const where = this.#namespace === undefined ? '' : ` in ${this.#namespace}`
    return `configmap/${this.#target.name}${where}`
  }

  async read(stop: AbortSignal): Promise<string | undefined> {
    const answer = await this.#ask({ method: 'GET', path: '' }, stop)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw this.#trouble(answer, 'get')
    // What somebody has taken out by hand is no document, which whoever reads it will say.
    return documentIn(answer.body) ?? ''
  }

  /** Server-side apply: also makes it, takes back what others have changed, leaves alone what is theirs. */
  async write(published: Published, stop: AbortSignal): Promise<void> {
    const body = applied(this.#target.name, published)
    const question = {
      method: 'PATCH',
      path: `?fieldManager=${fieldManager}&force=true`,
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body,
    } as const
    const answer = await this.#ask(question, stop)
    if (answer.status !== 200 && answer.status !== 201) throw this.#trouble(answer, 'patch')
  }

  async #ask(question: Question, stop: AbortSignal): Promise<Answer> {
    const cluster = await reach(this.#access)
    const namespace = this.#target.namespace ?? cluster.namespace ?? 'default'
    this.#namespace = namespace
    const path = `/api/v1/namespaces/${namespace}/configmaps/${this.#target.name}${question.path}`
    return await ask(cluster, { ...question, path }, stop)
  }

  #trouble({ status, body, retryAfter }: Answer, verb: string): StatusTrouble {
    const said = messageIn(body)
    if (status === 403) {
      const [, denied = verb] = /cannot (\w+) resource/.exec(said) ?? []
      const [, who = 'this account'] = /User "([^"]+)"/.exec(said) ?? []
      const rule = `apiGroups [""], resources ["configmaps"], resourceNames ["${this.#target.name}"]`
      return new StatusTrouble(`${who} may not ${denied} ${this.name} (403)`, {
        isLasting: true,
        more: [
          `its Role needs the rule ${rule}, verbs ["get", "create", "patch"] for runs, ["get"] for a gate`,
        ],
      })
    }
    if (status === 401) return new StatusTrouble('the API server does not accept the token (401)')
    if (status === 409 || status === 429 || status >= 500) {
      const pauseS = Number(retryAfter)
      const pauseMs = pauseS > 0 ? pauseS * 1000 : undefined
      return new StatusTrouble(`the API server answers ${status} for ${this.name}`, { pauseMs })
    }
    const what = status === 404 ? `there is no namespace ${this.#namespace}` : said
    return new StatusTrouble(`the API server refuses ${this.name}: ${what} (${status})`, {
      isLasting: true,
    })
  }
}

/**
 * What is applied. JSON is YAML, but for characters that YAML does not allow raw; and the API server
 * reads it as YAML. A key that is left out is taken away, since it was ours.
 */
function applied(name: string, published: Published): string {
  const { state, version, run, error, reason } = published
  const labels = {
    'app.kubernetes.io/name': 'lockstep',
    'app.kubernetes.io/component': 'schema-status',
    'app.kubernetes.io/managed-by': fieldManager,
  }
  const data = { state, version, run, error, reason, [documentKey]: textOf(published) }
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data }
  return JSON.stringify(object).replaceAll(
    /[\u007F-\u009F\u2028\u2029\uFEFF\uFFFE\uFFFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function documentIn(body: string): string | undefined {
  const read = parsed(body)
  if (!has(read, 'data') || !has(read.data, documentKey)) return undefined
  const text = read.data[documentKey]
  return typeof text === 'string' ? text : undefined
}

/** Of the `Status` that the API server answers with. */
function messageIn(body: string): string {
  const read = parsed(body)
  return has(read, 'message') && typeof read.message === 'string' ? read.message : 'without a word'
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function has<K extends string>(value: unknown, key: K): value is Record<K, unknown> {
  return typeof value === 'object' && value !== null && key in value
}
