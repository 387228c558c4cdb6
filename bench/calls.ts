/** Tool calls as plain JSON-RPC over kept-alive connections. */
import { Pool } from "undici";
import type { Scope } from "./scope.ts";

/** Concurrent requests: enough to keep a server busy, and few enough to leave it a core. */
const CONNECTIONS = 16;

export interface Caller {
  /** Throws unless the answer is a result without `isError`. */
  call(name: string, args: object): Promise<void>;
}

export function createCaller(scope: Scope, url: string): Caller {
  const pool = new Pool(url, { connections: CONNECTIONS });
  scope.defer(() => pool.destroy());
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  return {
    async call(name, args) {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } });
      const response = await pool.request({ path: "/mcp", method: "POST", headers, body });
      const text = await response.body.text();
      if (response.statusCode !== 200 || !text.includes('"result"') || text.includes('"isError":true')) {
        throw new Error(`${name} answered ${response.statusCode}: ${text}`);
      }
    },
  };
}

/** Runs `work` for each number below `count`, one on each connection at a time. */
export async function runConcurrently(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const runLane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, runLane));
}
