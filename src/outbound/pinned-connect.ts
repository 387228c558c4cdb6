/** Connections only to the addresses that the guard has checked, whatever DNS answers a moment later (pinning). */
import type { LookupFunction, Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { callbackify } from "node:util";
import { buildConnector } from "undici";
import { onAbort } from "../runtime/abort-listeners.ts";
import { BlockedTargetError } from "./address-guard.ts";
import type { AddressGuard, CheckedAddress } from "./address-guard.ts";
import { TIMED_OUT, withTimeout } from "./timeout.ts";

/** Opens a connection to one of `addresses`, tried in order. With TLS it resolves after the handshake. */
export type OpenSocket = (
  target: buildConnector.Options,
  addresses: readonly CheckedAddress[],
  timeoutMs: number,
) => Promise<Socket>;

export interface OpenSocketNeeds {
  /** PEM certificates to trust besides the usual authorities. */
  readonly ca?: string | undefined;
  /** Aborts connections that are not open yet. */
  readonly signal: AbortSignal;
}

export interface PinnedConnectNeeds {
  readonly guard: AddressGuard;
  readonly open: OpenSocket;
  /** For DNS, TCP and TLS together. */
  readonly timeoutMs: number;
}

/** After this long the next address of a name is tried: the 250 ms of Node are short for a distant receiver. */
const NEXT_ADDRESS_AFTER_MS = 500;

/** A connector for undici: checks the name, opens a connection, and checks the address of the peer again. */
export function createPinnedConnect({ guard, open, timeoutMs }: PinnedConnectNeeds): buildConnector.connector {
  async function connect(target: buildConnector.Options): Promise<Socket> {
    const startedAt = performance.now();
    // Without the timeout a name server that never answers would keep undici waiting on this connection.
    const addresses = await withTimeout(timeoutMs, guard.checkedAddressesOf(target.hostname));
    if (addresses === TIMED_OUT) throw networkError("ETIMEDOUT", `DNS took too long for ${target.hostname}`);
    const socket = await open(target, addresses, Math.max(1, timeoutMs - (performance.now() - startedAt)));
    await checkPeer(socket, guard);
    return socket;
  }
  const connectWithCallback = callbackify(connect);
  return (target, callback) => {
    connectWithCallback(target, (error, socket) => (error === null ? callback(null, socket) : callback(error, null)));
  };
}

/** The real network, through the connector of undici. The Host header, SNI and the check of the certificate keep the name. */
export function createOpenSocket({ ca, signal }: OpenSocketNeeds): OpenSocket {
  let context: Promise<SecureContext> | undefined;
  return async (target, addresses, timeoutMs) => {
    const secureContext = target.protocol === "https:" ? await (context ??= createContext(ca)) : undefined;
    // The look-up may have taken long.
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    // Its own signal: Node keeps a listener on it for as long as the socket lives.
    const cancelling = new AbortController();
    const stopListening = onAbort(signal, () => cancelling.abort(signal.reason));
    const connect = buildConnector({
      allowH2: false,
      // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect here.
      rejectUnauthorized: true,
      secureContext,
      // This connector makes one connection, so there is no session to resume.
      maxCachedSessions: 0,
      lookup: lookupOf(addresses),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS,
      timeout: timeoutMs,
      signal: cancelling.signal,
    });
    connect(target, (error, socket) => (error === null ? resolve(socket) : reject(error)));
    return promise.finally(stopListening);
  };
}

/** Loads TLS only when it is needed. `ca` replaces the usual authorities in Node, so they are added to it. */
async function createContext(ca: string | undefined): Promise<SecureContext> {
  const { createSecureContext, getCACertificates } = await import("node:tls");
  return createSecureContext(ca === undefined ? {} : { ca: [...getCACertificates("default"), ca] });
}

/** Replaces DNS: Node asks for all addresses when it may try several, else for one. It never asks for IP literals. */
function lookupOf(addresses: readonly CheckedAddress[]): LookupFunction {
  return (_hostname, { all }, callback) => {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family);
  };
}

async function checkPeer(socket: Socket, guard: AddressGuard): Promise<void> {
  const { remoteAddress } = socket;
  // Given a closed socket, undici would connect again and again.
  if (remoteAddress === undefined) throw networkError("ECONNRESET", "The connection was closed as soon as it was made");
  try {
    await guard.checkedAddressesOf(remoteAddress);
  } catch (error) {
    socket.destroy();
    if (error instanceof BlockedTargetError) throw new BlockedTargetError(error.reason, { isPermanent: false });
    throw error;
  }
}

function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
