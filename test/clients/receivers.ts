/** Those who are POSTed to, as far as they are not ours: what the makers of webhooks give to their receivers to verify with. */
import { pathToFileURL } from "node:url";
import type { ReceivedRequest } from "../support/receiver.ts";
import { placeOf } from "./installed.ts";

export interface Posted {
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
type Webhook = new (secret: string) => { verify(body: string, headers: object): unknown };

export interface Verifier {
  readonly package: string;
  /** Rejects what it refuses. */
  readonly verify: (posted: Posted) => Promise<void>;
}

export const VERIFIERS: readonly Verifier[] = [
  { package: "standardwebhooks", verify: byWebhook("standardwebhooks") },
  { package: "svix", verify: byWebhook("svix") },
  {
    package: "openai",
    async verify({ secret, headers, body }) {
      const { default: OpenAI } = await load<{
        default: new (options: object) => {
          webhooks: { unwrap(body: string, headers: object, secret: string): Promise<unknown> };
        };
      }>("openai");
      await new OpenAI({ apiKey: "none" }).webhooks.unwrap(body, headers, secret);
    },
  },
  {
    package: "replicate",
    async verify({ secret, headers, body }) {
      const { validateWebhook } = await load<{ validateWebhook(posted: object): Promise<boolean> }>("replicate");
      const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = headers;
      if (!(await validateWebhook({ id, timestamp, signature, secret, body }))) throw new Error("It is not valid");
    },
  },
];

/** `registered`: the answer that had the secret. */
export function postedWith(registered: Readonly<Record<string, unknown>>, request: ReceivedRequest): Posted {
  return {
    secret: String(registered["signing_secret"]),
    headers: request.headers as Posted["headers"],
    body: request.body,
  };
}

function byWebhook(name: string) {
  return async ({ secret, headers, body }: Posted): Promise<void> => {
    const { Webhook } = await load<{ Webhook: Webhook }>(name);
    new Webhook(secret).verify(body, headers);
  };
}

async function load<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(placeOf(name)).href)) as Module;
}
