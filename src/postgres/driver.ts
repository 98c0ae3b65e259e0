import type { Socket } from 'node:net'
import type { Address } from './address.ts'

/**
 * What the driver is told: one socket, which is open already, and every option by name, since it
 * would read the others from the environment.
 */
export function driverOptions(socket: Socket, address: Address, applicationName: string) {
  let handedOut = false
  // Always true: after a false the driver keeps queries in a queue of its own and leaves their
  // promises unsettled when the connection dies.
  socket.write = new Proxy(socket.write.bind(socket), {
    apply: (write, _self, parts) => {
      Reflect.apply(write, socket, parts)
      return true
    },
  })
  const { user, password, database, options } = address
  return {
    host: 'unused',
    port: 5432,
    user,
    password,
    database,
    max: 1,
    max_pipeline: 1e9,
    ssl: false,
    sslnegotiation: null,
    fetch_types: false,
    prepare: false,
    idle_timeout: undefined,
    max_lifetime: null,
    connect_timeout: address.connectTimeoutMs / 1000,
    keep_alive: 0,
    backoff: () => 0,
    debug: false,
    publications: 'none',
    onnotice: () => undefined,
    connection: {
      application_name: applicationName,
      ...(options === undefined ? {} : { options }),
    },
    /** Opens the session's one socket; a second call would be a silent reconnect. */
    socket: (): Socket => {
      if (handedOut) throw new Error('a session has one socket')
      handedOut = true
      return socket
    },
  }
}
