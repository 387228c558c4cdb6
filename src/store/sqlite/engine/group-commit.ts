import Database from "better-sqlite3";
import { StoreUnavailable } from "../../../domain/errors.ts";
import { createFairQueue } from "./fair-queue.ts";

/** How long writes wait for another program that has locked the file (a backup tool, a shell) before they fail. */
const BUSY_TIMEOUT_MS = 5000;
const BUSY_RETRY_MS = 25;
/** A commit takes no further write after so many changed rows: they take about 50 ms. The rest follows in the next turn of the event loop. */
const ROWS_PER_COMMIT = 500;

/** Runs synchronous work in a transaction; what it throws rolls back. */
export type RunInTransaction = (work: () => void) => void;

/** Resolves once everything that was committed before the call is on disk. Never rejects: a disk that loses writes ends the process. */
export type Sync = () => Promise<void>;

/**
 * When a write is answered.
 * durable: once it is on disk. A claim may depend on it.
 * record: once it is on disk. No claim depends on it.
 * claim: once it is committed and each durable write before it is on disk. A power cut may undo it, a kill of the process cannot.
 */
export type Durability = "durable" | "record" | "claim";

export interface GroupCommit {
  /**
   * Runs `work` in a transaction that it may share with other writes of the same turn, and resolves as `durability` says. `work` must be
   * synchronous. It runs a second time, on a rolled-back database, when the shared transaction fails. Rejects with what `work` threw, or
   * with StoreUnavailable. `share`: the principal of a write that may change many rows. Shares with waiting writes get equally many rows;
   * all writes without it are one share. Writes of one share commit in the order of their calls.
   */
  write<T>(work: () => T, durability?: Durability, share?: string): Promise<T>;
  /** Commits all waiting writes now. Those that find the file locked go on waiting. */
  flush(): void;
  /** Resolves when every committed write is on disk. */
  settled(): Promise<void>;
}

interface WaitingWrite {
  /** Does the work, and returns the function that answers its caller. */
  readonly run: () => () => void;
  readonly fail: (error: unknown) => void;
  readonly durability: Durability;
  readonly share: string;
}

export interface GroupCommitParts {
  readonly inTransaction: RunInTransaction;
  /** Rows that this connection has changed since it was opened. */
  readonly changedRows: () => number;
  readonly sync: Sync;
  readonly busyTimeoutMs?: number;
}

/**
 * A commit has a price, however little is in it, and a wait for the disk has a far higher one. So all writes of one turn of the event loop
 * share one transaction, up to a number of rows, and all commits that are made while the disk is busy share the next wait. The wait blocks
 * no other work.
 */
export function createGroupCommit(parts: GroupCommitParts): GroupCommit {
  const { inTransaction, changedRows, sync, busyTimeoutMs = BUSY_TIMEOUT_MS } = parts;
  const disk = createDiskQueue(sync);
  const waiting = createFairQueue<WaitingWrite>();
  let isScheduled = false;
  let busySince: number | null = null;

  function schedule(): void {
    if (!isScheduled) setImmediate(runTurn);
    isScheduled = true;
  }

  function runTurn(): void {
    isScheduled = false;
    if (commitNext()) schedule();
  }

  /** Commits waiting writes until the limit of rows. True: more of them can be committed. */
  function commitNext(): boolean {
    const first = waiting.take();
    if (first === null) return false;
    const taken = [first];
    commit(taken, () => {
      const answers: (() => void)[] = [];
      const begin = changedRows();
      let rows = 0;
      for (let next: WaitingWrite | null = first; next !== null;) {
        if (answers.length > 0) taken.push(next);
        answers.push(next.run());
        const total = changedRows() - begin;
        waiting.charge(next.share, Math.max(1, total - rows));
        rows = total;
        next = rows < ROWS_PER_COMMIT ? waiting.take() : null;
      }
      return answers;
    });
    return busySince === null && !waiting.isEmpty();
  }

  /** `run` runs all of `group`, which it may extend, and returns their answers. */
  function commit(group: readonly WaitingWrite[], run: () => readonly (() => void)[]): void {
    try {
      let answers: readonly (() => void)[] = [];
      inTransaction(() => {
        answers = run();
      });
      busySince = null;
      disk.add(group.map(({ durability }, index) => ({ durability, answer: answers[index]! })));
    } catch (error) {
      if (isBusy(error)) retryLater(group, error);
      else if (group.length === 1 || isUnavailable(error)) failAll(group, error);
      // One write failed and rolled back all of them. Each in its own transaction, only that one fails.
      else for (const one of group) commit([one], () => [one.run()]);
    }
  }

  /** SQLite's own waiting would block the whole process. */
  function retryLater(group: readonly WaitingWrite[], error: unknown): void {
    busySince ??= performance.now();
    if (performance.now() - busySince > busyTimeoutMs) {
      busySince = null;
      failAll([...group, ...waiting.takeAll()], error);
      return;
    }
    for (const one of group.toReversed()) waiting.putBack(one.share, one);
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(runTurn, BUSY_RETRY_MS);
  }

  return {
    write<T>(work: () => T, durability: Durability = "durable", share = "") {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const run = () => {
        const result = work();
        return () => resolve(result);
      };
      waiting.add(share, { run, fail: reject, durability, share });
      schedule();
      return promise;
    },
    flush() {
      while (commitNext());
    },
    settled: disk.settled,
  };
}

interface CommittedWrite {
  readonly durability: Durability;
  readonly answer: () => void;
}

/** Answers committed writes once the disk has what their durability asks for. */
function createDiskQueue(sync: Sync) {
  /** For the next sync. */
  let queue: CommittedWrite[] = [];
  /** Claims that depend on nothing newer than the sync under way. */
  let claims: CommittedWrite[] = [];
  let loop: Promise<void> | null = null;
  let queuedDurable = 0;
  let syncingDurable = 0;

  async function syncAll(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      syncingDurable = queuedDurable;
      queuedDurable = 0;
      await sync();
      syncingDurable = 0;
      answerAll(batch);
      const dependent = claims;
      claims = [];
      // A turn later: a caller gets the answer to a durable write before the answer to a claim that depends on it.
      if (dependent.length > 0) setImmediate(answerAll, dependent);
    }
    loop = null;
  }

  function addOne(write: CommittedWrite): void {
    if (write.durability === "claim" && queuedDurable === 0) {
      if (syncingDurable === 0) write.answer();
      else claims.push(write);
      return;
    }
    if (write.durability === "durable") queuedDurable++;
    queue.push(write);
  }

  return {
    add(group: readonly CommittedWrite[]): void {
      for (const write of group) addOne(write);
      if (queue.length > 0) loop ??= syncAll();
    },
    settled: async () => {
      await loop;
    },
  };
}

function answerAll(writes: readonly CommittedWrite[]): void {
  for (const { answer } of writes) answer();
}

function failAll(group: readonly WaitingWrite[], error: unknown): void {
  const cause =
    isBusy(error) || isUnavailable(error)
      ? new StoreUnavailable("The database cannot be written", { cause: error })
      : error;
  for (const { fail } of group) fail(cause);
}

export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

/** The disk or the file failed, and not the work. */
function isUnavailable(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError && /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOMEM|LOCKED)/.test(error.code)
  );
}
