/** Receivers that run during the whole test. Each callback has its own path and its own seeded script of reactions. */
import type { ServerResponse } from "node:http";
import { startReceiver } from "../test/support/receiver.ts";
import type { ReceivedRequest, Receiver } from "../test/support/receiver.ts";
import { pick, wholeNumber } from "./random.ts";
import type { Random } from "./random.ts";
import { SLOW_ANSWER_MS, WAITS_MS } from "./settings.ts";

/** The reaction to one POST: a status, at once or slowly; a reset of the connection; no response. */
export type Reaction = { readonly status: number; readonly slowly: boolean } | "reset" | "hang";

/** The reactions to the first POSTs of a callback, in order. The last one applies to all later POSTs. */
export type Script = readonly Reaction[];

export interface Post extends Pick<ReceivedRequest, "headers" | "body" | "at"> {
  readonly reaction: Reaction;
}

export interface Receivers {
  /** The POSTs to a path, in order of arrival. */
  postsFor(path: string): readonly Post[];
  readonly paths: readonly string[];
  /** The URL of a callback whose receiver follows `script`. */
  addressFor(random: Random, path: string, script: Script): string;
  /** Resolves when no server is connected, so that all POSTs of a killed server have arrived. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Several, because the server limits the requests to one origin. */
const RECEIVERS = 4;
const OK: Reaction = { status: 200, slowly: false };
const FAILURES: readonly Reaction[] = [{ status: 503, slowly: false }, { status: 500, slowly: true }, "reset", "hang"];

export async function startReceivers(): Promise<Receivers> {
  const posts = new Map<string, Post[]>();
  const scripts = new Map<string, Script>();

  function react(request: ReceivedRequest, response: ServerResponse): void {
    const { path, headers, body, at } = request;
    const challenge = challengeIn(body);
    if (challenge !== null) return void response.writeHead(200).end(JSON.stringify({ challenge }));
    const earlier = posts.get(path) ?? [];
    const script = scripts.get(path) ?? [OK];
    const reaction = script[Math.min(earlier.length, script.length - 1)] ?? OK;
    posts.set(path, [...earlier, { headers, body, at, reaction }]);
    if (reaction === "reset") response.socket?.resetAndDestroy();
    else if (reaction !== "hang") {
      setTimeout(() => response.writeHead(reaction.status).end(), reaction.slowly ? SLOW_ANSWER_MS : 0);
    }
  }

  const servers: Receiver[] = [];
  for (let index = 0; index < RECEIVERS; index++) servers.push(await startReceiver(react));
  return {
    postsFor: (path) => posts.get(path) ?? [],
    get paths() {
      return [...posts.keys()];
    },
    addressFor(random, path, script) {
      scripts.set(path, script);
      return `${pick(random, servers).url}${path}`;
    },
    async idle() {
      await Promise.all(servers.map((server) => server.idle()));
    },
    async close() {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** The challenge of a subscription, which is always echoed and is no delivery. Null: the body is no challenge. */
function challengeIn(body: string): string | null {
  const { type, challenge } = JSON.parse(body) as { type?: string; challenge?: string };
  return type === "verification" ? (challenge ?? null) : null;
}

/** Most receivers succeed at once or after some failures; some never succeed. */
export function pickScript(random: Random): Script {
  const kind = random();
  if (kind < 0.45) return [{ status: pick(random, [200, 204]), slowly: random() < 0.3 }];
  if (kind < 0.94) {
    return [...Array.from({ length: wholeNumber(random, 1, WAITS_MS.length) }, () => pick(random, FAILURES)), OK];
  }
  return [pick(random, FAILURES.slice(0, 3))];
}

/** A URL without a receiver. Each has its own address in 127/8, so that each is another origin. */
export function refusingAddress(random: Random, path: string): string {
  return `http://127.${wholeNumber(random, 1, 254)}.${wholeNumber(random, 1, 254)}.${wholeNumber(random, 1, 254)}:1${path}`;
}
