// Preloaded into the suite's origin, which listens on every interface otherwise.

import { Server } from 'node:net'

const { listen } = Server.prototype
Server.prototype.listen = function (port) {
  return listen.call(this, { port: Number(port), host: '127.0.0.1' })
}
