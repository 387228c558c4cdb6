import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock, WorkSource } from "../../service/ports/store.ts";

/** The timer is looked at again after this at the latest: the system's clock may have jumped. Nothing is read unless its time has come. */
const LOOK_AGAIN_MS = 60_000;
/** After a pass that threw (disk full, file locked by another program): our own trouble, so try again soon, and for ever. */
const AFTER_FAILURE_MS = 1000;

export interface WorkSourceNeeds {
  readonly clock: Clock;
  readonly emit: Emit;
  /** For the announcement of a pass that threw. */
  readonly name: string;
}

/** With one process on one file, work comes from a wake after our own commit and from one timer. */
export function createWorkSource({ clock, emit, name }: WorkSourceNeeds): WorkSource {
  const stopping = new AbortController();
  let wakes = new AbortController();
  let isWoken = false;
  let loop: Promise<void> = Promise.resolve();

  function wake(): void {
    isWoken = true;
    // With a reason of our own: making the default one, an exception with its stack, showed in profiles.
    wakes.abort("woken");
  }

  async function sleepUntil(due: number | null): Promise<void> {
    wakes = new AbortController();
    if (isWoken) return;
    for (;;) {
      const wait = due === null ? Number.POSITIVE_INFINITY : due - clock.now();
      if (wait <= 0 || wakes.signal.aborted) return;
      await clock.sleep(Math.min(wait, LOOK_AGAIN_MS), wakes.signal);
    }
  }

  async function runPass(pass: () => Promise<number | null>): Promise<number | null> {
    try {
      return await pass();
    } catch (error) {
      emit({ kind: "internal.failed", where: name, error });
      return clock.now() + AFTER_FAILURE_MS;
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
