/** The driver: in each round it starts a server on the same file and kills it. At the end all deliveries settle and are checked. */
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
  /** An empty folder for the database. */
  readonly folder: string;
  /** The program to run. Default: the sources. */
  readonly cli?: string | undefined;
  /** How late events may be on a busy machine. Default: 1.5 s. */
  readonly lateMs?: number;
  /** Called with the progress from time to time. */
  readonly print?: (progress: string) => void;
}

export interface Report {
  readonly seed: number;
  readonly rounds: number;
  /** By the moment of the kill. */
  readonly kills: ReadonlyMap<string, number>;
  readonly tasks: number;
  /** Tasks that failed because they were running at five kills in a row. */
  readonly diedTooOften: number;
  readonly callbacks: number;
  readonly subscriptions: number;
  readonly posts: number;
  /** POSTs whose signature was verified: all but those to callbacks whose registration was never answered. */
  readonly verified: number;
  /** POSTs that were sent again because of a kill before the record of the first one. */
  readonly duplicates: number;
  /** Attempts that timed out before their receiver got the POST, on a busy machine. */
  readonly unseen: number;
}

/** A server that does not reach its step within this time is killed then. */
const STEP_TIMEOUT_MS = 1500;
/** The limit for a test that hangs. */
const SETTLE_MS = 180_000;
const LATE_MS = 1500;
const CHECKED_CONCURRENTLY = 8;
const ROUNDS_PER_PRINT = 25;
/** Only the newest tasks get POSTs, including retries over several rounds. */
const VERIFIED_TASKS = 400;
const STEP_MISSED = "step not reached, killed anyway";
const NO_KILL = "no kill";
/** The share of clients without an answer that repeat their calls in a later round. */
const RETRYING_SHARE = 0.8;

/** Throws BrokenInvariant. */
export async function runCrashTest(test: CrashTest): Promise<Report> {
  const receivers = await startReceivers();
  const driver = new Driver(test, receivers);
  const endServers = (): void => void driver.endServers();
  // An interrupted test leaves no server behind.
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
  #calling: PlannedTask[] = [];

  constructor(test: CrashTest, receivers: Receivers) {
    this.#test = test;
    this.#receivers = receivers;
    this.#lateMs = test.lateMs ?? LATE_MS;
    this.#verifier = createVerifier(receivers, this.#lateMs);
    this.#file = join(test.folder, "callbacks.db");
    this.#random = seededRandom(test.seed, "load");
  }

  async run(): Promise<Report> {
    const { rounds, seed, print = () => {} } = this.#test;
    const schedule = kills(seededRandom(seed, "kills"));
    for (let round = 1; round <= rounds; round++) {
      const planned = planRound(this.#random, this.#receivers, round);
      this.#tasks.push(...planned);
      this.#subscriptions.push(planSubscription(this.#random, this.#receivers, round));
      this.#calling = [...this.#calling.filter(() => this.#random() < RETRYING_SHARE), ...planned];
      await this.#round(schedule.next().value, round);
      this.#verifySignatures();
      if (round % ROUNDS_PER_PRINT === 0) print(`${round} of ${rounds} rounds, ${this.#tasks.length} tasks`);
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
      const afterMs = kill.kind === "time" ? kill.afterMs : STEP_TIMEOUT_MS;
      ending = killAfter(server, afterMs, killer.signal);
      await this.#load(port);
    }
    await server.ended();
    killer.abort();
    await this.#receivers.idle();
    const missed = (await ending) && kill.kind !== "time";
    this.#note(missed ? STEP_MISSED : kill.name, server, { spawnedAt, endedAt: Date.now() });
  }

  /** Interrupts the migration of a new file, next to the file of all rounds. The next start must complete it. */
  async #interruptMigration(kill: Kill, round: number): Promise<void> {
    const file = join(this.#test.folder, `fresh-${round}.db`);
    await this.#spawn(file, kill).ended();
    const again = this.#spawn(file);
    await again.listening();
    mustHold((await again.stop()) === 0, "a server on a file whose migration was interrupted did not stop properly");
    checkFile(file);
    this.#kills.set(kill.name, (this.#kills.get(kill.name) ?? 0) + 1);
  }

  async #load(port: number): Promise<void> {
    const subscribing = this.#subscriptions.map((subscription) => subscribe(port, subscription));
    await Promise.all([...subscribing, ...this.#calling.map((task) => carryOut(`http://127.0.0.1:${port}`, task))]);
    this.#calling = this.#calling.filter((task) => !isCarriedOut(task));
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
    const failure = lines.find((line) => line.startsWith("💥") || line.startsWith("stderr: "));
    mustHold(failure === undefined, `the server reported a failure: ${failure}`);
  }

  /** The secret of a callback is known once its registration was acknowledged. */
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
    const histories = await forEachConcurrently(this.#tasks, (task) => settledHistory(url, task, deadline));
    const subscribed = await forEachConcurrently(this.#subscriptions, (each) =>
      settledSubscriptions(url, each, deadline),
    );
    this.#verifySignatures();
    mustHold((await server.stop()) === 0, "the last server did not stop properly");
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

async function forEachConcurrently<Item, Answer>(
  items: readonly Item[],
  answerFor: (item: Item) => Promise<Answer>,
): Promise<ReadonlyMap<Item, Answer>> {
  const answers = new Map<Item, Answer>();
  const waiting = items.values();
  await Promise.all(
    Array.from({ length: CHECKED_CONCURRENTLY }, async () => {
      for (const item of waiting) answers.set(item, await answerFor(item));
    }),
  );
  return answers;
}

/** Resolves with true if it killed the server. */
async function killAfter(server: ServerProcess, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    return false;
  }
  void server.kill();
  return true;
}
