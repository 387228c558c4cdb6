/** The store of least.ts in another thread. It waits for the disk at each commit, which blocks this thread only. */
import { parentPort, workerData } from "node:worker_threads";
import { openLeastStore } from "./least-store.ts";

export type StoreRequest =
  | { readonly origins: readonly string[]; readonly count: number }
  | { readonly sent: readonly number[]; readonly room: number };

const store = openLeastStore((workerData as { readonly file: string }).file, "FULL");

parentPort?.on("message", (request: StoreRequest) => {
  if ("sent" in request) parentPort?.postMessage(store.turn(request.sent, request.room));
  else {
    store.end(request.origins, request.count);
    parentPort?.postMessage([]);
  }
});
