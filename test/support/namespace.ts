import { spawnSync } from 'node:child_process'

/**
 * A network namespace with one link to this machine, as a pod has one to its node. What runs in it
 * sees this machine at `address`.
 */
export interface Network extends Disposable {
  readonly address: string
  /** What starts a program in it. */
  readonly command: readonly string[]
  /** From now on everything that is sent is lost, in both directions, and nobody is told. */
  cut(): void
}

/** Why no namespace can be made here, or false. Root may, where the system lets it. */
export function noNetwork(): string | false {
  try {
    using _ = makeNetwork()
    return false
  } catch (error) {
    return `no network namespace can be made here: ${error instanceof Error ? error.message : ''}`
  }
}

export function makeNetwork(): Network {
  // Names of interfaces have at most fifteen characters; of addresses, 10.213.0.0/16 by process.
  const name = `ls${process.pid}`
  const subnet = `10.213.${process.pid % 256}`
  const remove = (): void => {
    // The link goes with its namespace.
    spawnSync('ip', ['netns', 'delete', name])
    spawnSync('ip', ['link', 'delete', `${name}a`])
  }
  try {
    ip(`netns add ${name}`)
    ip(`link add ${name}a type veth peer name ${name}b netns ${name}`)
    ip(`address add ${subnet}.1/24 dev ${name}a`)
    ip(`link set ${name}a up`)
    ip(`-n ${name} address add ${subnet}.2/24 dev ${name}b`)
    ip(`-n ${name} link set ${name}b up`)
    ip(`-n ${name} link set lo up`)
  } catch (error) {
    remove()
    throw error
  }
  return {
    address: `${subnet}.1`,
    command: ['ip', 'netns', 'exec', name],
    cut: () => {
      // Without its neighbour's address neither side can send; the interfaces stay up.
      ip(`link set ${name}a down`)
    },
    [Symbol.dispose]: remove,
  }
}

function ip(command: string): void {
  const { status, stderr, error } = spawnSync('ip', command.split(' '), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${command}: ${error?.message ?? stderr.trim()}`)
}
