/** What describes a callback, alone or with the start of its task. */
import { z } from "zod";
import { CALLBACK_PROFILES } from "../domain/body.ts";
import { CALLBACK_URL_CHARS_MAX } from "../domain/callback.ts";
import { EVENT_TYPES } from "../domain/event.ts";
import { clientGivenId } from "./arguments.ts";

export const callbackArguments = {
  client_id: clientGivenId().describe("Your own name; the POST carries it as data.client_id."),
  // Judged by the domain, whose sentence says what is wrong with it.
  callback_url: z
    .string()
    .meta({ format: "uri", maxLength: CALLBACK_URL_CHARS_MAX })
    .describe(
      `Where to send the POST: an absolute http or https URL of at most ${CALLBACK_URL_CHARS_MAX} characters, without user information and fragment.`,
    ),
  secret: z
    .string()
    .optional()
    .describe("The signing secret: whsec_ and the base64 of 24 to 64 random bytes. Leave it out to get a new one."),
  events: z
    .array(z.enum(EVENT_TYPES))
    .min(1, { error: "must name at least one event, or be left out for all three ends" })
    .max(EVENT_TYPES.length, { error: `must name at most ${EVENT_TYPES.length} events` })
    .optional()
    .describe(
      "What to hear about. Default: the three ends. task_progress adds a POST with how far the task is, every few seconds at most, for tasks that tell; name it beside the ends that you want.",
    ),
  body_format: z
    .enum(CALLBACK_PROFILES)
    .optional()
    .describe(
      "How the POST's body is written. standard (the default): type, timestamp, data. cloudevents: a CloudEvents 1.0 event in structured mode, with the same data.",
    ),
  // Judged by the domain, as the URL is.
  not_after: z
    .string()
    .meta({ format: "date-time" })
    .optional()
    .describe(
      "When the POST is of no use any more: ISO 8601 with zone, at most 30 days ahead. No attempt is begun from then on, and retries come sooner to fit. Default: none, the retry schedule alone decides.",
    ),
};

export function registrationOf(given: z.output<z.ZodObject<typeof callbackArguments>>) {
  const { client_id, callback_url, secret, events, body_format, not_after } = given;
  return { clientId: client_id, url: callback_url, secret, events, profile: body_format, notAfter: not_after };
}
