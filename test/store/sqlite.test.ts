import { openTestStore } from "../support/sqlite-store.ts";
import { describeStore } from "./conformance.ts";

describeStore("the SQLite store", () => openTestStore());
