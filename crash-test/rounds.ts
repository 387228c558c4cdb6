/** The driver: round after round one server on one file, killed each time; then everything settles and is checked. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnServer } from "../test/support/spawn-server.ts";
import type { ServerProcess } from "../test/support/spawn-server.ts";
import { mustHold } from "./broken.ts";
import { carryOut, isCarriedOut } from "./clients.ts";
import type { DeliveryFindings, Life } from "./delivery-check.ts";
import { checkFile, checkTask, settledHistory } from "./final-check.ts";
import { hasDiedTooOften, planRound } from "./plan.ts";
import type { PlannedTask } from "./plan.ts";
import { seededRandom } from "./random.ts";
import type { Random } from "./random.ts";
import { startReceivers } from "./receivers.ts";
import type { Receivers } from "./receivers.ts";
import { accessOf, SERVER_ENV } from "./settings.ts";
import { createVerifier } from "./signatures.ts";
import type { Verifier } from "./signatures.ts";
import { kills } from "./steps.ts";
import type { Kill } from "./steps.ts";
import { checkSubscription, settledSubscriptions } from "./subscription-check.ts";
import { planSubscription, subscribe } from "./subscriptions.ts";
import type { PlannedSubscription } from "./subscriptions.ts";

export interface CrashTest {
  readonly rounds: number;
  readonly seed: number;
  /** Where the database and nothing else is. */
  readonly folder: string;
  /** What to run; default: the sources. */
  readonly cli?: string | undefined;
  /** How late a busy machine may be; default: 1.5 s. */
  readonly lateMs?: number;
  /** Told now and then how far it is. */
  readonly say?: (progress: string) => void;
}

export interface Report {
  readonly seed: number;
  readonly rounds: number;
  /** By the moment of the kill. */
  readonly kills: ReadonlyMap<string, number>;
  readonly tasks: number;
  /** Of those, that failed because they were running at five kills in a row. */
  readonly diedTooOften: number;
  readonly callbacks: number;
  readonly subscriptions: number;
  readonly posts: number;
  /** POSTs whose signature was verified: all but those for callbacks whose secret was never answered. */
  readonly verified: number;
  /** POSTs that came again because a kill cut off the record of the one before. */
  readonly duplicates: number;
  /** Attempts that timed out before their receiver saw them: how busy the machine was. */
  readonly unseen: number;
}

/** A step that is not reached within this is not waited for: the kill comes then. */
const STEP_PATIENCE_MS = 1500;
/** Ends a hang. */
const SETTLE_MS = 180_000;
const LATE_MS = 1500;
const CHECKED_AT_ONCE = 8;
const ROUNDS_BETWEEN_WORDS = 25;
/** POSTs come to the newest tasks: what is retried over several rounds included. */
const VERIFIED_TASKS = 400;
const STEP_MISSED = "step not reached, killed anyway";
const NO_KILL = "no kill";
/** A client that got no answer asks again later, mostly. */
const ASKS_AGAIN = 0.8;

/** Throws BrokenInvariant. */
export async function runCrashTest(test: CrashTest): Promise<Report> {
  const receivers = await startReceivers();
  const driver = new Driver(test, receivers);
  const endServers = (): void => void driver.endServers();
  // Also when somebody interrupts us, no server stays behind.
  process.once("exit", endServers);
  try {
    return await driver.run();
  } finally {
    await driver.endServers();
    process.off("exit", endServers);
    await receivers.close();
  }
}

class Driver {
  readonly #test: CrashTest;
  readonly #receivers: Receivers;
  readonly #file: string;
  readonly #random: Random;
  readonly #tasks: PlannedTask[] = [];
  readonly #subscriptions: PlannedSubscription[] = [];
  readonly #lives: Life[] = [];
  readonly #kills = new Map<string, number>();
  readonly #verifier: Verifier;
  readonly #running = new Set<ServerProcess>();
  readonly #lateMs: number;
  #asking: PlannedTask[] = [];

  constructor(test: CrashTest, receivers: Receivers) {
    this.#test = test;
    this.#receivers = receivers;
    this.#lateMs = test.lateMs ?? LATE_MS;
    this.#verifier = createVerifier(receivers, this.#lateMs);
    this.#file = join(test.folder, "callbacks.db");
    this.#random = seededRandom(test.seed, "load");
  }

  async run(): Promise<Report> {
    const { rounds, seed, say = () => {} } = this.#test;
    const schedule = kills(seededRandom(seed, "kills"));
    for (let round = 1; round <= rounds; round++) {
      const planned = planRound(this.#random, this.#receivers, round);
      this.#tasks.push(...planned);
      this.#subscriptions.push(planSubscription(this.#random, this.#receivers, round));
      this.#asking = [...this.#asking.filter(() => this.#random() < ASKS_AGAIN), ...planned];
      await this.#round(schedule.next().value, round);
      this.#verifySignatures();
      if (round % ROUNDS_BETWEEN_WORDS === 0) say(`${round} of ${rounds} rounds, ${this.#tasks.length} tasks`);
    }
    return this.#settle();
  }

  async endServers(): Promise<void> {
    await Promise.all([...this.#running].map((server) => server.kill()));
  }

  /** One server, started, put under load and killed. */
  async #round(kill: Kill, round: number): Promise<void> {
    if (kill.kind === "migration" && round > 1) return this.#interruptMigration(kill, round);
    const spawnedAt = Date.now();
    const server = this.#spawn(this.#file, kill);
    const killer = new AbortController();
    if (kill.kind === "time" && kill.since === "spawned") void killAfter(server, kill.afterMs, killer.signal);
    const port = await server.listening().catch(() => null);
    let ending = Promise.resolve(false);
    if (port !== null) {
      const afterMs = kill.kind === "time" ? kill.afterMs : STEP_PATIENCE_MS;
      ending = killAfter(server, afterMs, killer.signal);
      await this.#load(port);
    }
    await server.ended();
    killer.abort();
    await this.#receivers.idle();
    const missed = (await ending) && kill.kind !== "time";
    this.#note(missed ? STEP_MISSED : kill.name, server, { spawnedAt, endedAt: Date.now() });
  }

  /** A file beside the one that lives through all rounds: its migration must go through at the next start. */
  async #interruptMigration(kill: Kill, round: number): Promise<void> {
    const file = join(this.#test.folder, `fresh-${round}.db`);
    await this.#spawn(file, kill).ended();
    const again = this.#spawn(file);
    await again.listening();
    mustHold((await again.stop()) === 0, "a server on a file whose migration was interrupted did not stop well");
    checkFile(file);
    this.#kills.set(kill.name, (this.#kills.get(kill.name) ?? 0) + 1);
  }

  async #load(port: number): Promise<void> {
    const subscribing = this.#subscriptions.map((subscription) => subscribe(port, subscription));
    await Promise.all([...subscribing, ...this.#asking.map((task) => carryOut(`http://127.0.0.1:${port}`, task))]);
    this.#asking = this.#asking.filter((task) => !isCarriedOut(task));
  }

  #spawn(file: string, kill?: Kill): ServerProcess {
    const { cli } = this.#test;
    const killAt = kill === undefined || kill.kind === "time" ? undefined : kill.killAt;
    const env = { ...SERVER_ENV, ...accessOf(this.#test.rounds) };
    const server = spawnServer({ file, env, killAt, ...(cli === undefined ? {} : { cli }) });
    this.#running.add(server);
    void server.ended().then(() => this.#running.delete(server));
    return server;
  }

  #note(kill: string, { lines }: ServerProcess, life: Life): void {
    this.#kills.set(kill, (this.#kills.get(kill) ?? 0) + 1);
    this.#lives.push(life);
    const complaint = lines.find((line) => line.startsWith("💥") || line.startsWith("stderr: "));
    mustHold(complaint === undefined, `the server complained: ${complaint}`);
  }

  /** A callback's secret is known once it was acknowledged. */
  #verifySignatures(): void {
    for (const { callbacks } of this.#tasks.slice(-VERIFIED_TASKS)) {
      for (const { path, acknowledged } of callbacks) {
        if (acknowledged !== null) this.#verifier.verify(path, acknowledged.secret);
      }
    }
    for (const { path, secret } of this.#subscriptions) this.#verifier.verify(path, secret);
  }

  async #settle(): Promise<Report> {
    const spawnedAt = Date.now();
    const server = this.#spawn(this.#file);
    const port = await server.listening();
    await this.#load(port);
    const url = `http://127.0.0.1:${port}`;
    const deadline = spawnedAt + SETTLE_MS;
    const histories = await inTurns(this.#tasks, (task) => settledHistory(url, task, deadline));
    const subscribed = await inTurns(this.#subscriptions, (each) => settledSubscriptions(url, each, deadline));
    this.#verifySignatures();
    mustHold((await server.stop()) === 0, "the last server did not stop well");
    this.#note(NO_KILL, server, { spawnedAt, endedAt: Infinity });
    this.#kills.delete(NO_KILL);
    checkFile(this.#file);
    const world = { receivers: this.#receivers, lives: this.#lives, lateMs: this.#lateMs };
    return this.#report([
      ...[...histories].map(([task, history]) => checkTask(task, history, world)),
      ...[...subscribed].flatMap(([subscription, answers]) => {
        const own = new Map([...histories].filter(([{ principal }]) => principal === subscription.principal));
        return checkSubscription(subscription, answers, own, world);
      }),
    ]);
  }

  #report(findings: readonly DeliveryFindings[]): Report {
    const { seed, rounds } = this.#test;
    const acknowledged = this.#tasks.flatMap(({ callbacks }) => callbacks.filter((each) => each.acknowledged !== null));
    return {
      seed,
      rounds,
      kills: this.#kills,
      tasks: this.#tasks.filter(({ started }) => started).length,
      diedTooOften: this.#tasks.filter(({ failure }) => hasDiedTooOften(failure)).length,
      callbacks: acknowledged.length,
      subscriptions: this.#subscriptions.length,
      posts: this.#receivers.paths.reduce((sum, path) => sum + this.#receivers.postsFor(path).length, 0),
      verified: this.#verifier.count,
      duplicates: findings.reduce((sum, { unrecorded }) => sum + unrecorded, 0),
      unseen: findings.reduce((sum, { unseen }) => sum + unseen, 0),
    };
  }
}

async function inTurns<Item, Answer>(
  items: readonly Item[],
  answerFor: (item: Item) => Promise<Answer>,
): Promise<ReadonlyMap<Item, Answer>> {
  const answers = new Map<Item, Answer>();
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: CHECKED_AT_ONCE }, async () => {
      for (const item of waiting) answers.set(item, await answerFor(item));
    }),
  );
  return answers;
}

/** Resolves with whether it came to that. */
async function killAfter(server: ServerProcess, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    return false;
  }
  void server.kill();
  return true;
}
