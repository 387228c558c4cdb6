/** The store of least.ts in a thread of its own: it waits for the disk at each commit, which stops nobody else there. */
import { parentPort, workerData } from "node:worker_threads";
import { openLeastStore } from "./least-store.ts";

export type Asked =
  | { readonly origins: readonly string[]; readonly count: number }
  | { readonly sent: readonly number[]; readonly room: number };

const store = openLeastStore((workerData as { readonly file: string }).file, "FULL");

parentPort?.on("message", (asked: Asked) => {
  if ("sent" in asked) parentPort?.postMessage(store.turn(asked.sent, asked.room));
  else {
    store.end(asked.origins, asked.count);
    parentPort?.postMessage([]);
  }
});
