import { z } from "zod";
import { hasEnded } from "../../domain/task.ts";
import type { Task } from "../../domain/task.ts";
import type { Call, Method } from "../protocol/request.ts";
import { INTERNAL_ERROR, RpcError } from "../errors.ts";
import type { TaskMethodsNeeds } from "./modern-methods.ts";
import { parseParams } from "./params.ts";
import { detailedTask } from "./shapes.ts";

/** Marks which listening a notification belongs to (2026-07-28, "Subscriptions"). */
const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";
/** As many as the SDK allows for the subscriptions that it serves. */
const LISTENINGS_MAX = 1024;
const TASK_IDS_MAX = 100;

/** What `subscriptions/listen` is called in here when it is about tasks: the SDK serves all others and would ignore the task ids. */
export const LISTEN_TO_TASKS = "subscriptions/listen+tasks";

export const LISTEN = "subscriptions/listen";
const anyListen = z.object({ method: z.literal(LISTEN), params: z.object({ notifications: z.looseObject({}) }) });
const listenParams = z.looseObject({
  notifications: z.looseObject({ taskIds: z.array(z.string()).max(TASK_IDS_MAX) }),
});

/** Whether it is a `subscriptions/listen` that names tasks. What is wrong with their names is the method's to say. */
export function isListenToTasks(message: object): boolean {
  const parsed = anyListen.safeParse(message);
  return parsed.success && Object.hasOwn(parsed.data.params.notifications, "taskIds");
}

/**
 * A request whose answer goes on until its client or this server ends it. Every change of status that the protocol can tell is an end:
 * pending and running are both `working`. What has ended before is told at once, so that nothing is missed.
 */
export function createListen({ tasks, resultOf, ...terms }: TaskMethodsNeeds): Method {
  let open = 0;

  async function listen(call: Call, taskIds: readonly string[]): Promise<void> {
    const _meta = { [SUBSCRIPTION_ID]: call.id };
    const signal = AbortSignal.any([call.signal, call.closing]);
    const found = await Promise.all([...new Set(taskIds)].map((id) => tasks.findById(call.principal, id)));
    const honoured = found.filter((task) => task !== null);
    const notifications = honoured.length === 0 ? {} : { taskIds: honoured.map(({ id }) => id) };
    await call.notify("notifications/subscriptions/acknowledged", { _meta, notifications });
    if (honoured.length === 0) return;
    const tellEnd = async (task: Task): Promise<void> => {
      const ended = await tasks.untilEnded(task, signal);
      if (hasEnded(ended) && !call.signal.aborted)
        await call.notify("notifications/tasks", { _meta, ...detailedTask(ended, terms, resultOf) });
    };
    await Promise.all([...honoured.map(tellEnd), untilAborted(signal)]);
  }

  return {
    name: LISTEN_TO_TASKS,
    streams: true,
    async call(call) {
      const { notifications } = parseParams(LISTEN, listenParams, call.params);
      if (open >= LISTENINGS_MAX) throw new RpcError(INTERNAL_ERROR, "Subscription limit reached");
      open++;
      try {
        await listen(call, notifications.taskIds);
        return { _meta: { [SUBSCRIPTION_ID]: call.id } };
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
