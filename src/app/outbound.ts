import type { Config } from "../config/config.ts";
import { createAddressGuard } from "../outbound/address-guard.ts";
import type { AddressGuard } from "../outbound/address-guard.ts";
import { createHttpClient } from "../outbound/client.ts";
import { createEndpointVerifier } from "../outbound/endpoint-verifier.ts";
import { createNameResolver } from "../outbound/names/name-resolver.ts";
import { createReceiverTester } from "../outbound/receiver-tester.ts";
import { createSender } from "../outbound/sender.ts";
import type { Sender } from "../service/ports/sender.ts";
import type { ReceiverTester } from "../service/ports/receiver-tester.ts";
import type { HttpClient } from "../service/ports/http-client.ts";
import type { EndpointVerifier } from "../service/ports/endpoint-verifier.ts";
import { userAgent } from "./package-root.ts";
import { CONCURRENCY } from "./limits.ts";

/** All parts that connect to addresses which clients have given. */
export interface Outbound {
  readonly guard: AddressGuard;
  /** For deliveries. */
  readonly sender: Sender;
  /** For tasks that make requests. */
  readonly client: HttpClient;
  /** For test events and diagnoses. */
  readonly receiverTester: ReceiverTester;
  /** For the challenges of MCP Events. */
  readonly endpointVerifier: EndpointVerifier;
  /** Aborts running requests. May be called twice. */
  close(): Promise<void>;
}

export function createOutbound(config: Config): Outbound {
  const { privateTargets, httpTaskTargets, attemptTimeoutMs, callbackCa, nameServers } = config;
  const names = createNameResolver({ servers: nameServers ?? undefined });
  const guard = createAddressGuard({ allow: privateTargets, resolve: names.resolve, isKnown: names.isKnown });
  const clientGuard = createAddressGuard({ allow: httpTaskTargets, resolve: names.resolve, isKnown: names.isKnown });
  const parts = { guard, attemptTimeoutMs, userAgent, ca: callbackCa ?? undefined };
  const sender = createSender({ ...parts, connectionsPerOrigin: CONCURRENCY.perOrigin });
  const client = createHttpClient({ ...parts, guard: clientGuard });
  const receiverTester = createReceiverTester(parts);
  const endpointVerifier = createEndpointVerifier(parts);
  return {
    guard,
    sender,
    client,
    receiverTester,
    endpointVerifier,
    async close() {
      names.close();
      await Promise.all([sender.close(), client.close(), receiverTester.close(), endpointVerifier.close()]);
    },
  };
}
