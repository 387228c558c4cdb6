import Database from "better-sqlite3";
import { StoreUnavailable } from "../../../domain/errors.ts";

/** How long writes wait for another program that holds the file (a backup tool, a shell) before they fail. */
const BUSY_TIMEOUT_MS = 5000;
const BUSY_RETRY_MS = 25;

/** Runs synchronous work in a transaction; what it throws rolls back. */
export type RunInTransaction = (work: () => void) => void;

/** Resolves once everything that was committed before the call is on disk. Never rejects: a disk that loses writes ends the process. */
export type Sync = () => Promise<void>;

/**
 * When a write is answered. `fact`: once it is on disk; others may build on it. `record`: likewise, but nothing builds on it. `claim`:
 * once it is committed and all facts it may build on are on disk; a power cut may take it back, a kill may not.
 */
export type WriteKind = "fact" | "record" | "claim";

export interface GroupCommit {
  /**
   * Runs `work` in a transaction that it may share with others of the same moment, and resolves as its kind says. `work` must not
   * await, and is run a second time, on a rolled-back database, when the transaction it shared fails. Rejects with what `work` threw, or
   * with StoreUnavailable. `committed` is called as soon as it is committed, before the answer: what can be done while the disk is
   * written belongs there. It must not throw.
   */
  write<T>(work: () => T, kind?: WriteKind, committed?: () => void): Promise<T>;
  /** Commits what is waiting, now; what another program keeps from being written goes on waiting. */
  flush(): void;
  /** Resolves when nothing that was committed waits for the disk. */
  settled(): Promise<void>;
}

interface Waiting {
  /** Runs the work, and returns what tells its owner of the commit. */
  readonly run: () => () => void;
  readonly fail: (error: unknown) => void;
  readonly kind: WriteKind;
  readonly committed: (() => void) | undefined;
}

/**
 * A commit costs, whatever is in it, and a wait for the disk costs far more; so all that is asked for in one turn of the event loop
 * shares one transaction, and all that is committed while the disk is busy shares the next wait. The wait itself stops nobody.
 */
export function createGroupCommit(
  inTransaction: RunInTransaction,
  sync: Sync,
  busyTimeoutMs = BUSY_TIMEOUT_MS,
): GroupCommit {
  const disk = createDiskQueue(sync);
  let waiting: Waiting[] = [];
  let isScheduled = false;
  let busySince: number | null = null;

  function flush(): void {
    isScheduled = false;
    const group = waiting;
    waiting = [];
    if (group.length > 0) commit(group);
  }

  function commit(group: readonly Waiting[]): void {
    try {
      let answers: (() => void)[] = [];
      inTransaction(() => {
        answers = group.map(({ run }) => run());
      });
      busySince = null;
      disk.add(group.map(({ kind }, index) => ({ kind, tell: answers[index]! })));
      for (const { committed } of group) committed?.();
    } catch (error) {
      if (isBusy(error)) waitForOthers(group, error);
      else if (group.length === 1 || isUnavailable(error)) failAll(group, error);
      // One of them failed and took the others with it: each alone, only the culprit fails.
      else for (const one of group) commit([one]);
    }
  }

  /** Not by SQLite's own waiting, which would stop the whole process. */
  function waitForOthers(group: readonly Waiting[], error: unknown): void {
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
    write<T>(work: () => T, kind: WriteKind = "fact", committed?: () => void) {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const run = () => {
        const result = work();
        return () => resolve(result);
      };
      waiting.push({ run, fail: reject, kind, committed });
      if (!isScheduled) setImmediate(flush);
      isScheduled = true;
      return promise;
    },
    flush,
    settled: disk.settled,
  };
}

interface Committed extends Pick<Waiting, "kind"> {
  readonly tell: () => void;
}

/** What is committed and waits for the disk. */
function createDiskQueue(sync: Sync) {
  let queue: Committed[] = [];
  /** Claims that build on nothing newer than what is being synced: that wait is theirs too. */
  let riding: Committed[] = [];
  let loop: Promise<void> | null = null;
  let queuedFacts = 0;
  let syncingFacts = 0;

  async function syncAll(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      syncingFacts = queuedFacts;
      queuedFacts = 0;
      await sync();
      syncingFacts = 0;
      for (const { tell } of batch) tell();
      // A turn later, so that the facts are told before what was claimed of them.
      const claims = riding;
      riding = [];
      if (claims.length > 0) setImmediate(() => claims.forEach(({ tell }) => tell()));
    }
    loop = null;
  }

  function addOne(one: Committed): void {
    if (one.kind === "claim" && queuedFacts === 0) {
      if (syncingFacts === 0) one.tell();
      else riding.push(one);
      return;
    }
    if (one.kind === "fact") queuedFacts++;
    queue.push(one);
  }

  return {
    add(group: readonly Committed[]): void {
      for (const one of group) addOne(one);
      if (queue.length > 0) loop ??= syncAll();
    },
    settled: async () => {
      await loop;
    },
  };
}

function failAll(group: readonly Waiting[], error: unknown): void {
  const cause =
    isBusy(error) || isUnavailable(error)
      ? new StoreUnavailable("The database cannot be written", { cause: error })
      : error;
  for (const { fail } of group) fail(cause);
}

export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

/** The disk or the file, not the work. */
function isUnavailable(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError && /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOMEM|LOCKED)/.test(error.code)
  );
}
