import { randomBytes } from "node:crypto";
import Database from "better-sqlite3";
import { expect } from "vitest";
import type { Store } from "../../src/service/ports/store.ts";
import { T0 } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import { newFile, openTestStorage, openTestStore } from "../support/sqlite-store.ts";
import { describeCommits } from "./conformance/after-commit.ts";
import { describeStore } from "./conformance/all.ts";

describeStore("the SQLite store", () => openTestStore());
describeStore("the SQLite store with encrypted secrets", openEncrypted);
describeCommits("the SQLite store, after its commits", () =>
  openTestStorage({ clock: createFakeClock(T0), emit: () => {} }),
);

/** Whatever verbs a test has used, at its end no secret of a callback is in clear. */
async function openEncrypted(): Promise<Store> {
  const file = await newFile();
  const store = await openTestStore(file, [randomBytes(32)]);
  return {
    ...store,
    async close() {
      await store.close();
      const db = new Database(file, { readonly: true });
      const inClear = "signing_secret not like 'enc1.%' or older_secrets not like 'enc1.%'";
      const found = db.prepare(`select count(*) as count from callbacks where ${inClear}`).get();
      db.close();
      expect(found).toEqual({ count: 0 });
    },
  };
}
