/** Receivers that outlive all servers: each callback has a path of its own, and its own seeded way to answer. */
import type { ServerResponse } from "node:http";
import { startReceiver } from "../test/support/receiver.ts";
import type { ReceivedRequest, Receiver } from "../test/support/receiver.ts";
import { pick, whole } from "./random.ts";
import type { Random } from "./random.ts";
import { SLOW_ANSWER_MS, WAITS_MS } from "./settings.ts";

/** What a receiver does with one POST: answers a status, at once or slowly; resets the connection; says nothing at all. */
export type Reaction = { readonly status: number; readonly slowly: boolean } | "reset" | "hang";

/** What a callback's receiver does with its first POSTs, one after the other; the last one stands for all that follow. */
export type Script = readonly Reaction[];

export interface Post extends Pick<ReceivedRequest, "headers" | "body" | "at"> {
  readonly reaction: Reaction;
}

export interface Receivers {
  /** The POSTs that came for a path, in order of arrival. */
  postsFor(path: string): readonly Post[];
  readonly paths: readonly string[];
  /** The address of a callback that will react as `script` says. */
  addressFor(random: Random, path: string, script: Script): string;
  /** Resolves when no server is connected any more: what one that was killed had sent is in. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Several, because the server bounds the requests to one origin. */
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

/** Of a subscription that asks whether it is wanted: it always is, and that is no delivery. */
function challengeIn(body: string): string | null {
  const { type, challenge } = JSON.parse(body) as { type?: string; challenge?: string };
  return type === "verification" ? (challenge ?? null) : null;
}

/** Most receivers answer well at once or after some failures; some never do. */
export function pickScript(random: Random): Script {
  const kind = random();
  if (kind < 0.45) return [{ status: pick(random, [200, 204]), slowly: random() < 0.3 }];
  if (kind < 0.94) {
    return [...Array.from({ length: whole(random, 1, WAITS_MS.length) }, () => pick(random, FAILURES)), OK];
  }
  return [pick(random, FAILURES.slice(0, 3))];
}

/** Nobody listens there. Each has an address of its own in 127/8, so that no origin's failures are another's. */
export function refusingAddress(random: Random, path: string): string {
  return `http://127.${whole(random, 1, 254)}.${whole(random, 1, 254)}.${whole(random, 1, 254)}:1${path}`;
}
