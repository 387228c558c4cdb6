/** The arguments that describe a callback, in register_callback and in start_task_with_callbacks. */
import { z } from "zod";
import { CALLBACK_PROFILES } from "../../../domain/payload.ts";
import { CALLBACK_URL_CHARS_MAX } from "../../../domain/callback.ts";
import { EVENT_TYPES } from "../../../domain/event.ts";
import { clientGivenId } from "./arguments.ts";

const bare = {
  client_id: clientGivenId(),
  // The domain validates it.
  callback_url: z.string().meta({ format: "uri" }),
  secret: z.string().optional(),
  events: z
    .array(z.enum(EVENT_TYPES))
    .min(1, { error: "must name at least one event, or be left out for all three ends" })
    .max(EVENT_TYPES.length, { error: `must name at most ${EVENT_TYPES.length} events` })
    .optional(),
  body_format: z.enum(CALLBACK_PROFILES).optional(),
  // The domain validates it.
  not_after: z.string().meta({ format: "date-time" }).optional(),
};

export const callbackArguments = {
  client_id: bare.client_id.describe("Your name; data.client_id of the POST."),
  callback_url: bare.callback_url.describe(
    `Absolute http(s) URL, at most ${CALLBACK_URL_CHARS_MAX} characters. Ask the user for it, never invent one.`,
  ),
  secret: bare.secret.describe("whsec_ and the base64 of 24 to 64 random bytes. Default: a new one."),
  events: bare.events.describe("Default: the three ends. Add task_progress for reports while it runs."),
  body_format: bare.body_format.describe("Default: standard."),
  not_after: bare.not_after.describe("No attempt is made from then on: ISO 8601 with zone, at most 30 days ahead."),
};

/** Without descriptions: those of register_callback, which is always listed too, are enough. */
export const callbackAtStart = z.strictObject(bare);

export function registrationOf(given: z.output<typeof callbackAtStart>) {
  const { client_id, callback_url, secret, events, body_format, not_after } = given;
  return { clientId: client_id, url: callback_url, secret, events, profile: body_format, notAfter: not_after };
}
