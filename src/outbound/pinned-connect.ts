/** Connections that only ever go where the address guard says, whatever DNS answers a moment later (pinning). */
import type { LookupFunction, Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { callbackify } from "node:util";
import { buildConnector } from "undici";
import { onAbort } from "../runtime/abort-fanout.ts";
import type { AddressGuard, VettedAddress } from "./address-guard.ts";
import { TOO_SLOW, withTimeout } from "./timeout.ts";

/** Opens a connection to one of `addresses`, tried in their order; with TLS it is ready when the handshake is over. */
export type OpenSocket = (
  target: buildConnector.Options,
  addresses: readonly VettedAddress[],
  timeoutMs: number,
) => Promise<Socket>;

export interface OpenSocketNeeds {
  /** PEM certificates to trust beside the usual authorities. */
  readonly ca?: string | undefined;
  /** Ends the connections that are still being made. */
  readonly signal: AbortSignal;
}

export interface PinnedConnectNeeds {
  readonly guard: AddressGuard;
  readonly open: OpenSocket;
  /** For DNS, TCP and TLS together. */
  readonly timeoutMs: number;
}

/** After this long the next address of a name is tried; Node's own 250 ms are short for the other side of the world. */
const NEXT_ADDRESS_AFTER_MS = 500;

/** undici's way to connect: vets, opens, and looks once more at who is at the other end. */
export function createPinnedConnect({ guard, open, timeoutMs }: PinnedConnectNeeds): buildConnector.connector {
  async function connect(target: buildConnector.Options): Promise<Socket> {
    const startedAt = performance.now();
    // A name server that never answers must not leave undici waiting on this connection for ever.
    const addresses = await withTimeout(timeoutMs, guard.vet(target.hostname));
    if (addresses === TOO_SLOW) throw networkError("ETIMEDOUT", `DNS took too long for ${target.hostname}`);
    const socket = await open(target, addresses, Math.max(1, timeoutMs - (performance.now() - startedAt)));
    await requireVettedPeer(socket, guard);
    return socket;
  }
  const connectWithCallback = callbackify(connect);
  return (target, callback) => {
    connectWithCallback(target, (error, socket) => (error === null ? callback(null, socket) : callback(error, null)));
  };
}

/** The real network, by undici's connector. The name stays in the Host header, in SNI and in the check of the certificate. */
export function createOpenSocket({ ca, signal }: OpenSocketNeeds): OpenSocket {
  let made: Promise<SecureContext> | undefined;
  return async (target, addresses, timeoutMs) => {
    const secureContext = target.protocol === "https:" ? await (made ??= createContext(ca)) : undefined;
    // The name may have been looked up for long, and nobody waits any more.
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    // A signal of its own: Node would keep each open socket listening to a signal for as long as it lives.
    const giveUp = new AbortController();
    const stopListening = onAbort(signal, () => giveUp.abort(signal.reason));
    const connect = buildConnector({
      allowH2: false,
      // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not reach us.
      rejectUnauthorized: true,
      secureContext,
      // The connector lives for one connection; there is nothing to resume.
      maxCachedSessions: 0,
      lookup: answering(addresses),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS,
      timeout: timeoutMs,
      signal: giveUp.signal,
    });
    connect(target, (error, socket) => (error === null ? resolve(socket) : reject(error)));
    return promise.finally(stopListening);
  };
}

/** Loads TLS, which a start does not need. Node takes `ca` in place of the usual authorities, so those are said as well. */
async function createContext(ca: string | undefined): Promise<SecureContext> {
  const { createSecureContext, getCACertificates } = await import("node:tls");
  return createSecureContext(ca === undefined ? {} : { ca: [...getCACertificates("default"), ca] });
}

/** In place of DNS: Node asks for all addresses when it may try several, else for one. Literals are never asked for. */
function answering(addresses: readonly VettedAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family);
  };
}

async function requireVettedPeer(socket: Socket, guard: AddressGuard): Promise<void> {
  const { remoteAddress } = socket;
  // undici would connect again and again if it were handed a socket that is already gone.
  if (remoteAddress === undefined) throw networkError("ECONNRESET", "The connection was closed as soon as it was made");
  try {
    await guard.vet(remoteAddress);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
