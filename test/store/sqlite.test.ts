import { randomBytes } from "node:crypto";
import { openTestStore } from "../support/sqlite-store.ts";
import { describeStore } from "./conformance.ts";

describeStore("the SQLite store", () => openTestStore());
describeStore("the SQLite store with encrypted secrets", () => openTestStore(undefined, [randomBytes(32)]));
