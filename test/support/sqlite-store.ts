import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { createNewId } from "../../src/domain/ids.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { openStore } from "../../src/store/open.ts";
import { PreparedSession } from "../../src/store/sqlite/engine/prepared-statements.ts";
import type { PreparedStatement } from "../../src/store/sqlite/engine/prepared-statements.ts";
import type { OpenedStore, OpenStoreOptions } from "../../src/store/open.ts";
import { createSecretCipher } from "../../src/store/secret-cipher.ts";
import { temporaryFolder } from "./builders.ts";

export const migrationsFolder = fileURLToPath(new URL("../../migrations", import.meta.url));

/** The real store on a real file: a new one of the test's own, unless `file` names one. Without keys secrets are in clear. */
export async function openTestStore(
  file?: string,
  keys: readonly Uint8Array[] = [],
  migrations = migrationsFolder,
): Promise<Store> {
  const { store } = await open(file ?? (await newFile()), { keys, migrationsFolder: migrations });
  return store;
}

/** The same with its queues and its notifier. */
export async function openTestStorage(
  options: Partial<Pick<OpenStoreOptions, "clock" | "emit" | "endProcess">>,
  file?: string,
): Promise<OpenedStore> {
  return open(file ?? (await newFile()), options);
}

let migrated: Promise<Buffer> | null = null;

/** A database with nothing in it, copied from one that was migrated for all tests of this file. */
export async function newFile(): Promise<string> {
  migrated ??= migrate();
  const file = join(temporaryFolder(), "callbacks.db");
  writeFileSync(file, await migrated, { mode: 0o600 });
  return file;
}

async function migrate(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-callbacks-"));
  try {
    const file = join(folder, "callbacks.db");
    const { store } = await open(file);
    await store.close();
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface TestOptions extends Partial<OpenStoreOptions> {
  readonly keys?: readonly Uint8Array[];
}

function open(file: string, { keys = [], ...options }: TestOptions = {}): Promise<OpenedStore> {
  return openStore({
    databaseUrl: `file:${file}`,
    migrationsFolder,
    newId: createNewId(Date.now),
    cipher: createSecretCipher(keys),
    clock: systemClock,
    emit: () => {},
    endProcess: () => {},
    ...options,
  });
}

/** The same, with each of its statements compiled; otherwise the first use does it. */
export async function openWholeStore(file: string): Promise<Store> {
  const prepareQuery = vi.spyOn(PreparedSession.prototype, "prepareQuery");
  const store = await openTestStore(file);
  for (const { value } of prepareQuery.mock.results) (value as PreparedStatement).compile();
  prepareQuery.mockRestore();
  return store;
}
