import { z } from "zod";
import { anyJson, isoTime } from "../schemas.ts";

/** The longest wait of a claim: less than the minute after which proxies and clients commonly time out. */
const WAIT_MS_MAX = 50_000;
const WAIT_MS = 25_000;
const TYPES_MAX = 100;
const ERROR_CHARS_MAX = 4096;
const PROGRESS_CHARS_MAX = 500;

const leaseToken = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .describe("The lease_token of the claim; may be in the header Lease-Token instead.");

export const claimRequest = z.strictObject({
  types: z
    .array(z.string().regex(/^[A-Za-z0-9_./-]{1,100}$/))
    .min(1)
    .max(TYPES_MAX)
    .describe("The task types that this worker can run, e.g. external."),
  worker: z
    .string()
    .regex(/^[\w.@:-]{1,100}$/)
    .optional()
    .describe("A name for this worker in the log, where several use the same token."),
  wait_ms: z
    .int()
    .min(0)
    .max(WAIT_MS_MAX)
    .default(WAIT_MS)
    .describe("How long to wait for a task when there is none. 0: not at all."),
});

export const claimedTask = z.object({
  id: z.string().describe("The {id} of the other routes."),
  task_id: z.string().describe("The client's id of the task; two principals may use the same."),
  task_type: z.string(),
  input: anyJson.describe("null when none was given."),
  attempt: z.int().min(1).describe("The number of this run: more than 1 after a failed run or a lost lease."),
  lease_token: z.string(),
  lease_expires_at: isoTime.describe("Send a heartbeat before, or the lease is lost."),
});

export const heartbeatRequest = z.strictObject({ lease_token: leaseToken });
export const heartbeatAnswer = z.object({ lease_expires_at: isoTime });

export const progressRequest = z.strictObject({
  lease_token: leaseToken,
  done: z.number().min(0).describe("How much is done, in a unit of your choice."),
  total: z.number().min(0).nullable().default(null).describe("How much there is; null: unknown."),
  message: z.string().max(PROGRESS_CHARS_MAX).nullable().default(null),
});

export const completeRequest = z.strictObject({
  lease_token: leaseToken,
  result: anyJson.optional().describe("Any JSON, 240 KiB at most. Default: null."),
});

export const failRequest = z.strictObject({
  lease_token: leaseToken,
  error: z.string().min(1).max(ERROR_CHARS_MAX).describe("What went wrong: a sentence for the clients."),
  permanent: z.boolean().default(false).describe("true: the task fails without further runs."),
});

const taskState = { id: z.string(), task_id: z.string() };
export const completeAnswer = z.object({ ...taskState, status: z.literal("completed") });
export const failAnswer = z.object({
  ...taskState,
  status: z.enum(["failed", "pending"]),
  next_run_at: isoTime
    .nullable()
    .describe("When the task can be claimed again; null: it has failed and is not run again."),
});

export const completionRequest = z.union(
  [
    z.strictObject({ result: anyJson.refine((value) => value !== undefined, "is missing") }),
    z.strictObject({ error: z.string().min(1).max(ERROR_CHARS_MAX) }),
  ],
  'must be {"result": …} or {"error": "…"}, one of the two',
);
export const completionAnswer = z.object({ task_id: z.string(), status: z.enum(["completed", "failed"]) });
