import type { Config } from "../config/load.ts";
import { createAddressGuard } from "../outbound/address-guard.ts";
import { createEndpointVerifier } from "../outbound/endpoint-verifier.ts";
import { createHttpClient } from "../outbound/client.ts";
import { createReceiverTester } from "../outbound/prober.ts";
import { userAgent, version } from "./package-root.ts";
import type { Foundation } from "./foundation.ts";
import type { Lifecycle } from "../runtime/lifecycle.ts";
import type { ReceiverTester } from "../service/ports/callback-store.ts";
import { createEventFeed } from "../service/event-feed.ts";
import type { EventFeed } from "../service/event-feed.ts";
import type { HttpClient } from "../service/ports/http-client.ts";
import { joinCatalogs } from "../service/join-catalogs.ts";
import type { WorkSource } from "../service/ports/store.ts";
import type { EndpointVerifier } from "../service/ports/subscription-store.ts";
import type { TaskCatalog, TaskType } from "../service/ports/task-types.ts";
import { createTaskRegistry } from "../tasks/runner/registry.ts";
import type { UpstreamCatalog, UpstreamCatalogNeeds } from "../tasks/upstream/catalog.ts";

/** The parts that most others are built with. */
export interface House extends Omit<Foundation, "builtInTypes" | "moduleTypes" | "createWorkSource"> {
  readonly guard: ReturnType<typeof createAddressGuard>;
  readonly receiverTester: ReceiverTester;
  readonly endpointVerifier: EndpointVerifier;
  readonly catalog: TaskCatalog;
  /** How many of a type run at once; null: only the bound for all. */
  readonly concurrencyOf: (taskType: string) => number | null;
  readonly feed: EventFeed;
  readonly taskWork: WorkSource;
  readonly workerWork: WorkSource;
  readonly deliveryWork: WorkSource;
  readonly maintenanceWork: WorkSource;
}

type CatalogNeeds = Omit<UpstreamCatalogNeeds, "upstreams">;

/** What wakes what, and the ways out. */
export async function openHouse({
  builtInTypes,
  moduleTypes,
  createWorkSource,
  ...foundation
}: Foundation): Promise<House> {
  const { config, lifecycle, log, clock } = foundation;
  const { emit } = log;
  const guard = createAddressGuard({ allow: config.privateTargets });
  const receivers = { guard, attemptTimeoutMs: config.attemptTimeoutMs, userAgent, ca: config.callbackCa ?? undefined };
  const requester = createHttpClient(receivers);
  lifecycle.add("http requester", () => requester.close());
  const own = [...builtInTypes, ...(await typesThatRequest(config, requester)), ...moduleTypes];
  const concurrency = new Map(
    own.flatMap((type) => (type.concurrency === null ? [] : [[type.name, type.concurrency] as const])),
  );
  const upstreams = await upstreamsOf(config, lifecycle, { version, clock, emit });
  const receiverTester = createReceiverTester(receivers);
  lifecycle.add("prober", () => receiverTester.close());
  const endpointVerifier = createEndpointVerifier(receivers);
  lifecycle.add("challenger", () => endpointVerifier.close());
  return {
    ...foundation,
    guard,
    receiverTester,
    endpointVerifier,
    catalog: joinCatalogs([createTaskRegistry(own), ...(upstreams === null ? [] : [upstreams])]),
    concurrencyOf: (taskType) => concurrency.get(taskType) ?? upstreams?.concurrencyOf(taskType) ?? null,
    feed: createEventFeed(),
    taskWork: createWorkSource({ clock, emit, name: "task runner" }),
    workerWork: createWorkSource({ clock, emit, name: "workers" }),
    deliveryWork: createWorkSource({ clock, emit, name: "dispatcher" }),
    maintenanceWork: createWorkSource({ clock, emit, name: "janitor" }),
  };
}

async function typesThatRequest({ httpTasks }: Config, requester: HttpClient): Promise<readonly TaskType[]> {
  if (!httpTasks) return [];
  const { createHttpRequestTask } = await import("../tasks/builtin/http-request.ts");
  return [createHttpRequestTask({ requester })];
}

/** Loaded only where there are upstream servers: the SDK's client is a fifth of all our code, and most have none. */
async function upstreamsOf(
  { upstreams }: Config,
  lifecycle: Lifecycle,
  needs: CatalogNeeds,
): Promise<UpstreamCatalog | null> {
  if (upstreams.length === 0) return null;
  const { createUpstreamCatalog } = await import("../tasks/upstream/catalog.ts");
  const catalog = createUpstreamCatalog({ upstreams, ...needs });
  lifecycle.addBeside("upstreams", () => catalog.stop());
  return catalog;
}
