import type { Config } from "../config/config.ts";
import { createAddressGuard } from "../outbound/address-guard.ts";
import type { AddressGuard } from "../outbound/address-guard.ts";
import { createHttpClient } from "../outbound/client.ts";
import { createEndpointVerifier } from "../outbound/endpoint-verifier.ts";
import { createReceiverTester } from "../outbound/receiver-tester.ts";
import { createSender } from "../outbound/sender.ts";
import type { Sender } from "../service/ports/sender.ts";
import type { ReceiverTester } from "../service/ports/receiver-tester.ts";
import type { HttpClient } from "../service/ports/http-client.ts";
import type { EndpointVerifier } from "../service/ports/endpoint-verifier.ts";
import { userAgent } from "./package-root.ts";
import { CONCURRENCY } from "./workers.ts";

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

export function createOutbound({ privateTargets, httpTaskTargets, attemptTimeoutMs, callbackCa }: Config): Outbound {
  const guard = createAddressGuard({ allow: privateTargets });
  const needs = { guard, attemptTimeoutMs, userAgent, ca: callbackCa ?? undefined };
  const sender = createSender({ ...needs, connectionsPerOrigin: CONCURRENCY.perOrigin });
  const client = createHttpClient({ ...needs, guard: createAddressGuard({ allow: httpTaskTargets }) });
  const receiverTester = createReceiverTester(needs);
  const endpointVerifier = createEndpointVerifier(needs);
  return {
    guard,
    sender,
    client,
    receiverTester,
    endpointVerifier,
    async close() {
      await Promise.all([sender.close(), client.close(), receiverTester.close(), endpointVerifier.close()]);
    },
  };
}
