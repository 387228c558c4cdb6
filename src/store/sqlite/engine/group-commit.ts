import Database from "better-sqlite3";
import { StoreUnavailable } from "../../../domain/errors.ts";

/** How long writes wait for another program that has locked the file (a backup tool, a shell) before they fail. */
const BUSY_TIMEOUT_MS = 5000;
const BUSY_RETRY_MS = 25;

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
   * with StoreUnavailable.
   */
  write<T>(work: () => T, durability?: Durability): Promise<T>;
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
}

/**
 * A commit has a price, however little is in it, and a wait for the disk has a far higher one. So all writes of one turn of the event loop
 * share one transaction, and all commits that are made while the disk is busy share the next wait. The wait blocks no other work.
 */
export function createGroupCommit(
  inTransaction: RunInTransaction,
  sync: Sync,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
): GroupCommit {
  const disk = createDiskQueue(sync);
  let waiting: WaitingWrite[] = [];
  let isScheduled = false;
  let busySince: number | null = null;

  function flush(): void {
    isScheduled = false;
    const group = waiting;
    waiting = [];
    if (group.length > 0) commit(group);
  }

  function commit(group: readonly WaitingWrite[]): void {
    try {
      let answers: (() => void)[] = [];
      inTransaction(() => {
        answers = group.map(({ run }) => run());
      });
      busySince = null;
      disk.add(group.map(({ durability }, index) => ({ durability, answer: answers[index]! })));
    } catch (error) {
      if (isBusy(error)) retryLater(group, error);
      else if (group.length === 1 || isUnavailable(error)) failAll(group, error);
      // One write failed and rolled back all of them. Each in its own transaction, only that one fails.
      else for (const one of group) commit([one]);
    }
  }

  /** SQLite's own waiting would block the whole process. */
  function retryLater(group: readonly WaitingWrite[], error: unknown): void {
    busySince ??= performance.now();
    if (performance.now() - busySince > busyTimeoutMs) {
      busySince = null;
      failAll(group, error);
      return;
    }
    waiting.push(...group);
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(flush, BUSY_RETRY_MS);
  }

  return {
    write<T>(work: () => T, durability: Durability = "durable") {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const run = () => {
        const result = work();
        return () => resolve(result);
      };
      waiting.push({ run, fail: reject, durability });
      if (!isScheduled) setImmediate(flush);
      isScheduled = true;
      return promise;
    },
    flush,
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
