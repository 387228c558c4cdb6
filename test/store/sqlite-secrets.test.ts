import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { aClaim, aRegistration, aStart, T0, temporaryFolder } from "../support/builders.ts";
import { openTestStore } from "../support/sqlite-store.ts";

const [K1, K2] = [randomBytes(32), randomBytes(32)];
const DAY_MS = 86_400_000;

/** A file with callbacks `c0…`, each with a secret of its own and an older one. */
async function fileWith(count: number, keys: readonly Uint8Array[]) {
  const file = join(temporaryFolder(), "callbacks.db");
  const secrets = Array.from({ length: count * 2 }, generateSecret);
  await using(file, keys, async (store) => {
    for (let index = 0; index < count; index++) {
      const registration = aRegistration({ clientId: `c${index}`, signingSecret: secrets[index * 2]! });
      const result = await store.registerCallback(registration);
      if (!("callback" in result)) throw new Error(result.kind);
      const rotation = { principal: "local", callbackId: result.callback.id, overlapMs: DAY_MS, now: T0 };
      await store.rotateSecret({ ...rotation, secret: secrets[index * 2 + 1]! });
    }
  });
  return { file, secrets };
}

async function using<T>(file: string, keys: readonly Uint8Array[], work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openTestStore(file, keys);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function reencryptAll(store: Store, limit = 100) {
  for (let [reencrypted, steps] = [0, 1]; ; steps++) {
    const step = await store.reencryptSecrets({ limit });
    reencrypted += step.reencrypted;
    if (step.isDone) return { reencrypted, steps, unreadable: step.unreadable };
  }
}

/** Which of the secrets can be read in the file, its log or its index, as text or as bytes. */
function shownIn(file: string, secrets: readonly string[]): readonly string[] {
  const bytes = ["", "-wal", "-shm"]
    .map((end) => file + end)
    .filter(existsSync)
    .map((name) => readFileSync(name));
  return secrets.filter((secret) => {
    const base64 = secret.slice("whsec_".length);
    return bytes.some((all) => all.includes(base64) || all.includes(Buffer.from(base64, "base64")));
  });
}

async function claimedSecrets(store: Store): Promise<readonly string[]> {
  await store.startTask(aStart());
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: "" }, now: T0 });
  const claimed = await store.claimDueDeliveries(aClaim({ limit: 1000, perOrigin: 1000 }));
  return claimed.flatMap(({ callback }) => callback.signingSecrets.toReversed());
}

test("with a key no secret is in the file, from the first write on", async () => {
  const { file, secrets } = await fileWith(20, [K1]);
  await using(file, [K1], async (store) => {
    await store.registerCallback(aRegistration({ clientId: "again", signingSecret: secrets[0]! }));
    expect(shownIn(file, secrets)).toEqual([]);
  });
});

test("secrets in clear are encrypted in small steps, and none of their bytes are left", async () => {
  const { file, secrets } = await fileWith(250, []);
  expect(shownIn(file, secrets)).toHaveLength(500);
  await using(file, [K1], async (store) => {
    expect(await reencryptAll(store)).toEqual({ reencrypted: 250, steps: 3, unreadable: 0 });
    expect(shownIn(file, secrets)).toEqual([]);
    expect(await reencryptAll(store)).toEqual({ reencrypted: 0, steps: 1, unreadable: 0 });
  });
  await using(file, [K1], async (store) => {
    expect(await reencryptAll(store)).toEqual({ reencrypted: 0, steps: 1, unreadable: 0 });
    expect(new Set(await claimedSecrets(store))).toEqual(new Set(secrets));
  });
});

test("a new key takes over from the old one, which is not needed afterwards; a stop half-way loses nothing", async () => {
  const { file, secrets } = await fileWith(10, [K1]);
  await using(file, [K1], (store) => reencryptAll(store));
  await using(file, [K2, K1], (store) => store.reencryptSecrets({ limit: 4 }));
  await expect(openTestStore(file, [K2])).rejects.toThrow(
    /signing secrets under a key \(id \w{12}\) that SECRETS_KEY lacks/,
  );
  await using(file, [K1, K2], async (store) => expect(await reencryptAll(store)).toMatchObject({ reencrypted: 4 }));
  await using(file, [K2, K1], async (store) => expect(await reencryptAll(store)).toMatchObject({ reencrypted: 10 }));
  await using(file, [K2], async (store) => expect(new Set(await claimedSecrets(store))).toEqual(new Set(secrets)));
});

test("a start without the key is refused and says so; the file is free for the next", async () => {
  const { file } = await fileWith(1, [K1]);
  const refused = openTestStore(file);
  await expect(refused).rejects.toThrow(/has encrypted signing secrets; set SECRETS_KEY to the key/);
  await expect(refused).rejects.toMatchObject({ name: "StartError" });
  await expect(openTestStore(file, [K2])).rejects.toMatchObject({ name: "StartError" });
  await using(file, [K1], async (store) => expect(await store.counts()).toMatchObject({ pendingCallbacks: 1 }));
});

test("a key that encrypts no secret is forgotten", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  await using(file, [K1], async () => {});
  await using(file, [], async (store) => expect(await store.counts()).toMatchObject({ pendingCallbacks: 0 }));
});

test("a secret that was altered in the file does not stop the other secrets or the start", async () => {
  const { file, secrets } = await fileWith(3, [K1]);
  const db = new Database(file);
  db.exec(
    "update callbacks set signing_secret = (select signing_secret from callbacks where client_id = 'c1') where client_id = 'c0'",
  );
  db.close();
  await using(file, [K2, K1], async (store) => {
    expect(await reencryptAll(store)).toMatchObject({ reencrypted: 2, unreadable: 1 });
    expect(new Set(await claimedSecrets(store))).toEqual(new Set(secrets.slice(2)));
  });
});
