/** The subscriptions of MCP Events. The principal of each round has one, which gets the end of each of its tasks. */
import { modernRequest, send } from "../test/mcp/wire.ts";
import { mustHold } from "./broken.ts";
import { wholeNumber } from "./random.ts";
import type { Random } from "./random.ts";
import { pickScript } from "./receivers.ts";
import type { Receivers } from "./receivers.ts";
import { principalOf, tokenOf } from "./settings.ts";

export interface PlannedSubscription {
  readonly principal: string;
  readonly path: string;
  readonly url: string;
  /** Clients choose it. */
  readonly secret: string;
  /** Set once the server has acknowledged it. */
  id: string | null;
}

const SECRET_BYTES = 32;
const NAME = "task_finished";
/** The cursor before the first event, so that the subscription gets the same events whenever it is made. */
const BEGINNING = "evc_MA";

interface Answer {
  readonly result?: { readonly id: string };
  readonly error?: { readonly data?: { readonly reason?: string } };
}

export function planSubscription(random: Random, receivers: Receivers, round: number): PlannedSubscription {
  const principal = principalOf(round);
  const path = `/${principal}/events`;
  const bytes = Buffer.from(Array.from({ length: SECRET_BYTES }, () => wholeNumber(random, 0, 255)));
  const url = receivers.addressFor(random, path, pickScript(random));
  return { principal, path, url, secret: `whsec_${bytes.toString("base64")}`, id: null };
}

/** On a busy machine the receivers sometimes echo the challenge too late. The server has then acknowledged nothing, and the client tries again. */
const TRIES_MAX = 100;

/** Subscribes, unless that was acknowledged. A client without an answer repeats the same call in a later round. */
export async function subscribe(port: number, subscription: PlannedSubscription): Promise<void> {
  for (let triesLeft = TRIES_MAX; triesLeft > 0 && subscription.id === null; triesLeft--) {
    if ((await ask(port, subscription, triesLeft === 1)) === "no answer") return;
  }
}

async function ask(
  port: number,
  subscription: PlannedSubscription,
  isLast: boolean,
): Promise<"answered" | "no answer"> {
  const { principal, url, secret } = subscription;
  const params = { name: NAME, arguments: {}, delivery: { mode: "webhook", url, secret }, cursor: BEGINNING };
  const { headers, body = "" } = modernRequest("events/subscribe", params);
  const authorization = `Bearer ${tokenOf(principal)}`;
  const answer = await send(port, { headers: { ...headers, authorization }, body }).catch(() => null);
  // The server was killed before the answer, so it acknowledged nothing.
  if (answer === null) return "no answer";
  const { result, error } = JSON.parse(answer.text) as Answer;
  if (error?.data?.reason === "timeout" && !isLast) return "answered";
  mustHold(result !== undefined, `the subscription of ${principal} was refused: ${answer.text}`);
  subscription.id = result.id;
  return "answered";
}
