import type { DeliveryIdentity } from "../service/ports/telemetry.ts";
import type { ClaimedDelivery } from "../service/ports/delivery-store.ts";
import { isOfTime, postOf } from "./signed-request.ts";
import type { PostNeeds, SignedPost } from "./signed-request.ts";
import { identityOf } from "./telemetry.ts";

/** What is sent of a delivery, and what is told of it. */
export interface Ready {
  readonly post: SignedPost;
  readonly identity: DeliveryIdentity;
}

/** What is made while a claim waits for the disk, so that it goes out as soon as that has answered. Times are epoch ms. */
export class ReadyPosts {
  readonly #needs: PostNeeds;
  readonly #ready = new Map<ClaimedDelivery, Ready>();

  constructor(needs: PostNeeds) {
    this.#needs = needs;
  }

  /** Never throws. */
  prepare(deliveries: readonly ClaimedDelivery[], now: number): void {
    for (const delivery of deliveries) {
      try {
        this.#ready.set(delivery, this.#make(delivery, now));
      } catch {
        // A fault of ours: whoever takes it comes upon it again.
      }
    }
  }

  /** For an attempt that starts at `startedAt`: it has a timestamp of its own. */
  take(delivery: ClaimedDelivery, startedAt: number): Ready {
    const ready = this.#ready.get(delivery);
    this.#ready.delete(delivery);
    return ready !== undefined && isOfTime(ready.post, startedAt) ? ready : this.#make(delivery, startedAt);
  }

  /** Nobody will take it any more. */
  forget(delivery: ClaimedDelivery): void {
    this.#ready.delete(delivery);
  }

  #make(delivery: ClaimedDelivery, startedAt: number): Ready {
    const post = postOf(delivery, startedAt, this.#needs);
    return { post, identity: identityOf(delivery, post.url) };
  }
}
