import type { Clock } from "../service/ports/clock.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { WorkQueue, WorkQueues } from "../service/ports/work-queue.ts";

/** The timer is read again after this at the latest, because the system's clock may have jumped. The store is not read for it. */
const TIMER_CHECK_MS = 60_000;
/** After a pass that threw (disk full, file locked by another program) the next one follows, without a limit on their number. */
const RETRY_MS = 1000;

export interface WorkQueueParts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** The name in the telemetry of a pass that threw. */
  readonly name: string;
}

/** The queues of one store. */
export function createWorkQueues(parts: Pick<WorkQueueParts, "clock" | "emit">): WorkQueues {
  return {
    deliveries: createWorkQueue({ ...parts, name: "deliveries" }),
    tasks: createWorkQueue({ ...parts, name: "tasks" }),
    leases: createWorkQueue({ ...parts, name: "leases" }),
    maintenance: createWorkQueue({ ...parts, name: "maintenance" }),
  };
}

/** One process has the file for itself, so a pass follows a wake of this process or one timer. */
export function createWorkQueue({ clock, emit, name }: WorkQueueParts): WorkQueue {
  const stopping = new AbortController();
  let wakes = new AbortController();
  let isWoken = false;
  let loop: Promise<void> = Promise.resolve();

  function wake(): void {
    isWoken = true;
    // An explicit reason: the default one is an exception with its stack, and making it showed in profiles.
    wakes.abort("woken");
  }

  async function sleepUntil(due: number | null): Promise<void> {
    wakes = new AbortController();
    if (isWoken) return;
    for (;;) {
      const wait = due === null ? Number.POSITIVE_INFINITY : due - clock.now();
      if (wait <= 0 || wakes.signal.aborted) return;
      await clock.sleep(Math.min(wait, TIMER_CHECK_MS), wakes.signal);
    }
  }

  async function runPass(pass: () => Promise<number | null>): Promise<number | null> {
    try {
      return await pass();
    } catch (error) {
      emit({ kind: "internal.failed", where: `queue ${name}`, error });
      return clock.now() + RETRY_MS;
    }
  }

  async function run(pass: () => Promise<number | null>): Promise<void> {
    while (!stopping.signal.aborted) {
      isWoken = false;
      await sleepUntil(await runPass(pass));
    }
  }

  return {
    start(pass) {
      loop = run(pass);
    },
    wake,
    async stop() {
      stopping.abort();
      wake();
      await loop;
    },
  };
}
