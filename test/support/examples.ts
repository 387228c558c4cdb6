/** The programs in examples/, as their documents run them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { collectLines } from "./spawn-server.ts";

export interface RunningExample {
  /** What it printed, by line. */
  readonly lines: readonly string[];
  /** Resolves with the first line that matches, whether it is there already or comes. */
  waitForLine(pattern: string | RegExp): Promise<string>;
  /** Resolves with the exit code when it has ended by itself. */
  ended(): Promise<number | null>;
}

/** It ends with the test, if not before. */
export function runExample(name: string, env: Readonly<Record<string, string>> = {}): RunningExample {
  return runProgram(fileURLToPath(new URL(`../../examples/${name}`, import.meta.url)), env);
}

/** The same for a program anywhere, and of another language. */
export function runProgram(
  file: string,
  env: Readonly<Record<string, string>> = {},
  command = process.execPath,
): RunningExample {
  const child = spawn(command, [file], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return { ...collectLines(child, exited), ended: async () => (await exited)[0] };
}

/** The receiver on a port of the system's choice. */
export async function runReceiver(): Promise<RunningExample & { readonly url: string }> {
  const receiver = runExample("receiver.mjs", { PORT: "0" });
  const [url = ""] = /http:\S+/.exec(await receiver.waitForLine("listening on")) ?? [];
  return { ...receiver, url };
}
