/** Catalogs of real upstream servers. Each server is a process that ends with the test. */
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Json } from "../../../src/domain/json.ts";
import type { Upstream } from "../../../src/domain/upstream.ts";
import type { TelemetryEvent } from "../../../src/service/ports/telemetry.ts";
import type { TaskContext, TaskType } from "../../../src/service/ports/task-types.ts";
import { createUpstreamCatalog } from "../../../src/tasks/upstream/catalog.ts";
import type { UpstreamCatalogNeeds } from "../../../src/tasks/upstream/catalog.ts";
import { createFakeClock } from "../../support/clock.ts";

export const everything = fileURLToPath(
  new URL("../../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url),
);
export const filesystem = fileURLToPath(
  new URL("../../../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js", import.meta.url),
);
const misbehaving = fileURLToPath(new URL("../../support/upstream-server.mjs", import.meta.url));

export const A_TOKEN = "tok-0123456789";

export function stdio(name: string, args: readonly string[], changes: Partial<Upstream> = {}): Upstream {
  const transport = { kind: "stdio", command: process.execPath, args, env: {}, cwd: null } as const;
  return { name, transport, allow: ["*"], deny: [], timeoutMs: 60_000, concurrency: null, secrets: [], ...changes };
}

/** The server of `test/support/upstream-server.mjs`. */
export function misbehavingServer(env: Readonly<Record<string, string>> = {}): Upstream {
  const transport = { kind: "stdio", command: process.execPath, args: [misbehaving], cwd: null } as const;
  return { ...stdio("bad", []), transport: { ...transport, env: { API_TOKEN: A_TOKEN, ...env } }, secrets: [A_TOKEN] };
}

/** With the clock of the test: no server is too slow, and none starts again before the test advances the clock. */
export function startCatalog(...upstreams: readonly Upstream[]) {
  return startCatalogWith({}, ...upstreams);
}

export function startCatalogWith(
  bounds: Pick<UpstreamCatalogNeeds, "messageBytesMax">,
  ...upstreams: readonly Upstream[]
) {
  const clock = createFakeClock();
  const announced: TelemetryEvent[] = [];
  const emit = (announcement: TelemetryEvent): void => void announced.push(announcement);
  const catalog = createUpstreamCatalog({
    upstreams,
    version: "0.0.0",
    clock,
    emit,
    ...bounds,
  });
  onTestFinished(() => catalog.stop());
  return {
    clock,
    announced,
    catalog,
    async type(name: string): Promise<TaskType> {
      const type = await catalog.find(name);
      if (type === undefined) throw new Error(`No type ${name}`);
      return type;
    },
  };
}

export interface Ran {
  readonly progress: readonly (readonly [number, number | null | undefined, string | undefined])[];
  readonly outcome: Promise<unknown>;
}

/** One run, as the task runner makes it. */
export function runOnce(type: TaskType, input: Json, changes: Partial<TaskContext> = {}): Ran {
  const progress: [number, number | null | undefined, string | undefined][] = [];
  const log = { info() {}, warn() {}, error() {} };
  const context: TaskContext = {
    taskId: "t-1",
    principal: "local",
    attempt: 1,
    signal: new AbortController().signal,
    progress: (done, total, message) => void progress.push([done, total, message]),
    log,
    ...changes,
  };
  return { progress, outcome: type.run(type.parseInput(input), context) };
}
