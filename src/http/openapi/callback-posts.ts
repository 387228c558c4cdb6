/** The POSTs to callbacks, as /openapi.json documents them. `src/domain/payload.ts` makes them. */
import { z } from "zod";
import type { EventType } from "../../domain/event.ts";
import { anyJson, isoTime } from "../schemas.ts";

export interface DocumentedPost {
  readonly type: EventType;
  readonly summary: string;
  /** By media type: application/json unless the callback's body_format is cloudevents. Each body may get more members. */
  readonly bodies: Readonly<Record<string, z.ZodType>>;
}

/** The headers of Standard Webhooks, on every POST. */
export const POST_HEADERS = {
  "webhook-id": "The event's id: the same on every attempt, and for every callback of the task.",
  "webhook-timestamp": "Unix seconds of this attempt.",
  "webhook-signature":
    "One or more signatures, separated by blanks: v1,<base64> by the callback's secret, v1a,<base64> by SIGNING_KEY.",
} as const;

const about = {
  task_id: z.string(),
  client_id: z.string().describe("The callback's client."),
  started_by: z.string().describe("The client that started the task."),
};
const numbered = z.int().min(1).meta({ maximum: undefined }).optional();
const sequence = numbered.describe("Numbers the events of the task, in the order in which they happened.");
const message = z.string().describe("A sentence for people.");
const completed_at = isoTime.describe("When the task ended.");
const amount = z.number();
const binding = {
  audience: z.string().describe("The callback_url as it was registered.").optional(),
  principal: z
    .string()
    .describe("The owner of the callback: the name of its access token; local or anonymous without tokens.")
    .optional(),
};

const DATA = {
  task_completed: z.looseObject({
    ...about,
    status: z.literal("completed"),
    sequence,
    result: anyJson,
    message,
    completed_at,
  }),
  task_failed: z.looseObject({
    ...about,
    status: z.literal("failed"),
    sequence,
    error: z.string(),
    message,
    completed_at,
  }),
  task_cancelled: z.looseObject({
    ...about,
    status: z.literal("cancelled"),
    sequence,
    error: z.string(),
    message,
    completed_at,
  }),
  task_progress: z.looseObject({
    ...about,
    status: z.literal("running"),
    sequence,
    progress: z.object({ done: amount, total: amount.nullable(), message: z.string().nullable() }),
    message,
  }),
} as const satisfies Record<EventType, z.ZodType>;

const SUMMARIES: Record<EventType, string> = {
  task_completed: "A task has completed.",
  task_failed: "A task has failed.",
  task_cancelled: "A task was cancelled.",
  task_progress: "How far a task is, for callbacks that name task_progress among their events.",
};

export const CALLBACK_POSTS: readonly DocumentedPost[] = (Object.keys(DATA) as EventType[]).map((type) => ({
  type,
  summary: SUMMARIES[type],
  bodies: { "application/json": standardBody(type), "application/cloudevents+json": cloudEvent(type) },
}));

function standardBody(type: EventType): z.ZodType {
  return z.looseObject({
    type: z.literal(type),
    timestamp: isoTime.describe("When it happened."),
    data: DATA[type],
    ...binding,
  });
}

function cloudEvent(type: EventType): z.ZodType {
  return z.looseObject({
    specversion: z.literal("1.0"),
    id: z.string().describe("The same as webhook-id."),
    source: z.string(),
    type: z.literal(type),
    time: isoTime.describe("When it happened."),
    datacontenttype: z.literal("application/json"),
    data: DATA[type],
    ...binding,
  });
}
