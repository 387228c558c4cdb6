import { z } from "zod";
import { hasEnded } from "../../domain/task.ts";
import type { McpRequest, Method } from "../protocol/mcp-request.ts";
import { INTERNAL_ERROR, ProtocolError } from "../errors.ts";
import type { TaskMethodsParts } from "./modern-methods.ts";
import { parseParams } from "./params.ts";
import { detailedTask } from "./shapes.ts";

/** The key in `_meta` that names the request which a notification belongs to (2026-07-28, "Subscriptions"). */
const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";
/** The SDK's own limit for the subscriptions that it serves. */
const LISTENINGS_MAX = 1024;
const TASK_IDS_MAX = 100;

/** Internal name of a `subscriptions/listen` with task ids. The SDK serves the others; it would ignore the task ids. */
export const LISTEN_TO_TASKS = "subscriptions/listen+tasks";

export const LISTEN = "subscriptions/listen";
const anyListen = z.object({ method: z.literal(LISTEN), params: z.object({ notifications: z.looseObject({}) }) });
const listenParams = z.looseObject({
  notifications: z.looseObject({ taskIds: z.array(z.string()).max(TASK_IDS_MAX) }),
});

/** Whether the message is a `subscriptions/listen` with task ids. The method itself judges the ids. */
export function isListenToTasks(message: object): boolean {
  const parsed = anyListen.safeParse(message);
  return parsed.success && Object.hasOwn(parsed.data.params.notifications, "taskIds");
}

/**
 * A request whose stream goes on until its client or this server ends it. The only change of status in the protocol is an end: pending
 * and running are both `working`. A task that has already ended is notified at once, so no end is missed.
 */
export function createListen({ tasks, resultOf, ...terms }: TaskMethodsParts): Method {
  let open = 0;

  async function listen(request: McpRequest, taskIds: readonly string[]): Promise<void> {
    const { principal } = request;
    const _meta = { [SUBSCRIPTION_ID]: request.id };
    const signal = AbortSignal.any([request.signal(), request.stopping]);
    const honoured: string[] = [];
    for (const id of new Set(taskIds)) if ((await tasks.findById(principal, id)) !== null) honoured.push(id);
    const notifications = honoured.length === 0 ? {} : { taskIds: honoured };
    await request.notify("notifications/subscriptions/acknowledged", { _meta, notifications });
    if (honoured.length === 0) return;

    /** One after the other, each read when the one before has been sent: results are large. */
    let sent = Promise.resolve();
    const notifyEnd = async (id: string): Promise<void> => {
      if (request.signal().aborted) return;
      const ended = await tasks.findById(principal, id);
      if (ended !== null && hasEnded(ended))
        await request.notify("notifications/tasks", { _meta, ...detailedTask(ended, terms, resultOf) });
    };
    const follow = async (id: string): Promise<void> => {
      const task = await tasks.findById(principal, id);
      if (task === null) return;
      await tasks.untilEnded(task, signal);
      sent = sent.then(() => notifyEnd(id));
      await sent;
    };
    await Promise.all([...honoured.map(follow), untilAborted(signal)]);
  }

  return {
    name: LISTEN_TO_TASKS,
    streams: true,
    async answer(request) {
      const { notifications } = parseParams(LISTEN, listenParams, request.params);
      if (open >= LISTENINGS_MAX)
        throw new ProtocolError(INTERNAL_ERROR, "Too many open subscriptions; close some or try again later");
      open++;
      try {
        await listen(request, notifications.taskIds);
        return { _meta: { [SUBSCRIPTION_ID]: request.id } };
      } finally {
        open--;
      }
    },
  };
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (!signal.aborted) await promise;
}
