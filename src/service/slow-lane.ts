import type { SlowLane, SlowStay } from "./ports/delivery-store.ts";

/** What is sent to while its status is `active`. */
interface Target {
  readonly url: string;
  readonly status: string;
}

/** Why what is due to a target may wait all the same; null: not for the sake of its origin, or nothing is sent to it anyway. */
export function slowStayOf(lane: Pick<SlowLane, "stayOf">, { url, status }: Target): SlowStay | null {
  return status === "active" ? lane.stayOf(new URL(url).origin) : null;
}
