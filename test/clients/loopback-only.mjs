// Loaded into each client under test and into what it starts: no test contacts another machine, whatever a client would like to report.
import dns from "node:dns";
import net from "node:net";

const isLoopback = (host) => /^(localhost|127\.[\d.]+|::1)$/.test(host);
const { lookup } = dns;
const { connect } = net.Socket.prototype;

dns.lookup = (host, options, callback) => {
  if (isLoopback(host)) return lookup(host, options, callback);
  (callback ?? options)(new Error(`Tests look up no other host: ${host}`));
};
net.Socket.prototype.connect = function connectToLoopback(...args) {
  // As net.connect hands it on: its arguments, made one list.
  const [{ host = "localhost" } = {}] = Array.isArray(args[0]) ? args[0] : args;
  if (net.isIP(host) !== 0 && !isLoopback(host)) throw new Error(`Tests contact no other machine: ${host}`);
  return connect.apply(this, args);
};
