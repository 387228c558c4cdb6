/** Preloaded into a server under test whose log does not say that it listens: sends its parent the port. */
import { Server } from "node:net";

const { listen } = Server.prototype;

Server.prototype.listen = function (...given) {
  this.once("listening", () => process.send({ port: this.address().port }));
  return listen.apply(this, given);
};
process.channel.unref();
