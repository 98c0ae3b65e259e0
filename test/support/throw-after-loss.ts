import { Socket } from 'node:net'

// Preloaded into the program: does what the driver was seen to do behind a loss.

// oxlint-disable-next-line unbound-method -- called with the socket that is destroyed
const { destroy } = Socket.prototype
Socket.prototype.destroy = function (this: Socket, error?: Error) {
  this.once('close', () => {
    setImmediate(() => {
      throw new TypeError(`Cannot read properties of null (${process.env['DATABASE_URL']})`)
    })
  })
  return Reflect.apply(destroy, this, [error])
}
