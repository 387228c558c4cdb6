/** Compares the history of a subscription with the ends of its principal's tasks and with the POSTs of its receiver. */
import type { HistoryAnswer } from "../test/support/call-tool.ts";
import { mustHold } from "./broken.ts";
import { ask } from "./clients.ts";
import { checkDelivery } from "./delivery-check.ts";
import type { DeliveryFindings } from "./delivery-check.ts";
import { toRecorded } from "./final-check.ts";
import type { DeliveryAnswer, Seen } from "./final-check.ts";
import { endOf } from "./plan.ts";
import type { PlannedTask } from "./plan.ts";
import type { Post } from "./receivers.ts";
import type { PlannedSubscription } from "./subscriptions.ts";

export interface SubscriptionAnswer {
  readonly subscription_id: string;
  readonly status: string;
  readonly deliveries: readonly DeliveryAnswer[];
}

/** The principal's tasks and their histories; null for one that never ran. */
export type Histories = ReadonlyMap<PlannedTask, HistoryAnswer | null>;

const POLL_MS = 100;
const OPEN = new Set(["pending", "sending"]);

/** The subscriptions of the principal, once no delivery is open. `deadline`: epoch ms. */
export async function settledSubscriptions(
  url: string,
  { principal }: PlannedSubscription,
  deadline: number,
): Promise<readonly SubscriptionAnswer[]> {
  for (;;) {
    const answer = await ask<{ subscriptions: SubscriptionAnswer[] }>(url, principal, "list_subscriptions", {});
    const open = answer.subscriptions.flatMap(({ deliveries }) => deliveries.filter(({ status }) => OPEN.has(status)));
    if (open.length === 0) return answer.subscriptions;
    mustHold(Date.now() < deadline, `the subscription of ${principal} has ${open.length} deliveries still open`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Throws BrokenInvariant. */
export function checkSubscription(
  subscription: PlannedSubscription,
  answers: readonly SubscriptionAnswer[],
  histories: Histories,
  { receivers, lives, lateMs }: Seen,
): readonly DeliveryFindings[] {
  const { principal, path, id } = subscription;
  const [found] = answers;
  mustHold(answers.length === 1 && found !== undefined, `${principal} has ${answers.length} subscriptions, not one`);
  mustHold(found.subscription_id === id, `the subscription of ${principal} has another id`);
  mustHold(found.status === "active", `the subscription of ${principal} is ${found.status}`);
  const posts = receivers.postsFor(path);
  const ended = [...histories].flatMap(([task, history]) => (history === null ? [] : [task]));
  mustHold(
    found.deliveries.length === ended.length,
    `the subscription of ${principal} has deliveries for ${found.deliveries.length} of ${ended.length} events`,
  );
  const ids = new Set(found.deliveries.map(({ event_id }) => event_id));
  const strays = posts.filter(({ headers }) => !ids.has(String(headers["webhook-id"])));
  mustHold(strays.length === 0, `${path} got ${strays.length} POSTs that belong to no delivery`);
  for (const [task, history] of histories) checkIsSame(task, history, ids);
  const checked = found.deliveries.map((delivery) => {
    const own = posts.filter(({ headers }) => headers["webhook-id"] === delivery.event_id);
    const name = `the event ${delivery.event_id} to ${path}`;
    checkContent(name, ended, own);
    const attempts = delivery.attempts.map(toRecorded);
    return {
      taskId: own[0] === undefined ? null : taskIdOf(own[0]),
      findings: checkDelivery({ name, status: delivery.status, attempts, posts: own, refuses: false, lives, lateMs }),
    };
  });
  const taskIds = checked.flatMap(({ taskId }) => taskId ?? []);
  mustHold(new Set(taskIds).size === taskIds.length, `the subscription of ${principal} got the end of one task twice`);
  return checked.map(({ findings }) => findings);
}

/** The end of a task is one event for callbacks and subscriptions. */
function checkIsSame({ taskId }: PlannedTask, history: HistoryAnswer | null, ids: ReadonlySet<string>): void {
  const others = history?.callbacks.flatMap(({ deliveries }) => deliveries) ?? [];
  const isSame = others.every(({ event_id }) => ids.has(event_id));
  mustHold(isSame, `the callbacks of ${taskId} got an event that the subscription of its principal did not get`);
}

/** All POSTs have the same bytes, with the planned end of a task. */
function checkContent(name: string, ended: readonly PlannedTask[], posts: readonly Post[]): void {
  const [first] = posts;
  if (first === undefined) return;
  for (const { headers, body } of posts) {
    mustHold(body === first.body, `${name} was sent with different bodies`);
    const { eventId } = JSON.parse(body) as { eventId: string };
    mustHold(headers["webhook-id"] === eventId, `${name} was sent under another webhook-id`);
  }
  const { data } = JSON.parse(first.body) as { data: { task_id: string; status: string } };
  const task = ended.find(({ taskId }) => taskId === data.task_id);
  mustHold(task !== undefined, `${name} names ${data.task_id}, which is no ended task of this principal`);
  mustHold(data.status === endOf(task), `${name} says that ${data.task_id} is ${data.status}, not ${endOf(task)}`);
}

function taskIdOf({ body }: Post): string {
  return (JSON.parse(body) as { data: { task_id: string } }).data.task_id;
}
