import type { Config } from "../config/load.ts";
import { createAddressGuard } from "../outbound/address-guard.ts";
import { createChallenger } from "../outbound/endpoint-verifier.ts";
import { createHttpRequester } from "../outbound/client.ts";
import { createProber } from "../outbound/prober.ts";
import { userAgent, version } from "./package-root.ts";
import type { Foundation } from "./foundation.ts";
import type { Lifecycle } from "../runtime/lifecycle.ts";
import type { Prober } from "../service/ports/callback-store.ts";
import { createEventFeed } from "../service/event-feed.ts";
import type { EventFeed } from "../service/event-feed.ts";
import type { HttpRequester } from "../service/ports/http-client.ts";
import { joinCatalogs } from "../service/join-catalogs.ts";
import type { WorkSource } from "../service/ports/store.ts";
import type { Challenger } from "../service/ports/subscription-store.ts";
import type { TaskCatalog, TaskType } from "../service/ports/task-types.ts";
import { createTaskRegistry } from "../tasks/runner/registry.ts";
import type { UpstreamCatalog, UpstreamCatalogNeeds } from "../tasks/upstream/catalog.ts";

/** The parts that most others are built with. */
export interface House extends Omit<Foundation, "builtInTypes" | "moduleTypes" | "createWorkSource"> {
  readonly guard: ReturnType<typeof createAddressGuard>;
  readonly prober: Prober;
  readonly challenger: Challenger;
  readonly catalog: TaskCatalog;
  /** How many of a type run at once; null: only the bound for all. */
  readonly concurrencyOf: (taskType: string) => number | null;
  readonly feed: EventFeed;
  readonly taskWork: WorkSource;
  readonly workerWork: WorkSource;
  readonly deliveryWork: WorkSource;
  readonly janitorWork: WorkSource;
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
  const { announce } = log;
  const guard = createAddressGuard({ allow: config.privateTargets });
  const receivers = { guard, attemptTimeoutMs: config.attemptTimeoutMs, userAgent, ca: config.callbackCa ?? undefined };
  const requester = createHttpRequester(receivers);
  lifecycle.add("http requester", () => requester.close());
  const own = [...builtInTypes, ...(await typesThatRequest(config, requester)), ...moduleTypes];
  const concurrency = new Map(
    own.flatMap((type) => (type.concurrency === null ? [] : [[type.name, type.concurrency] as const])),
  );
  const upstreams = await upstreamsOf(config, lifecycle, { version, clock, announce });
  const prober = createProber(receivers);
  lifecycle.add("prober", () => prober.close());
  const challenger = createChallenger(receivers);
  lifecycle.add("challenger", () => challenger.close());
  return {
    ...foundation,
    guard,
    prober,
    challenger,
    catalog: joinCatalogs([createTaskRegistry(own), ...(upstreams === null ? [] : [upstreams])]),
    concurrencyOf: (taskType) => concurrency.get(taskType) ?? upstreams?.concurrencyOf(taskType) ?? null,
    feed: createEventFeed(),
    taskWork: createWorkSource({ clock, announce, name: "task runner" }),
    workerWork: createWorkSource({ clock, announce, name: "workers" }),
    deliveryWork: createWorkSource({ clock, announce, name: "dispatcher" }),
    janitorWork: createWorkSource({ clock, announce, name: "janitor" }),
  };
}

async function typesThatRequest({ httpTasks }: Config, requester: HttpRequester): Promise<readonly TaskType[]> {
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
