import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./builders.ts";

export interface SmallDisk {
  readonly folder: string;
  /** Takes what is left, to the last byte. */
  fill(): void;
  free(): void;
}

const CHUNK = Buffer.alloc(4096, 1);

/** A file system of `megabytes` of the test's own; or, when this user may not mount one, the reason. */
export function mountSmallDisk(megabytes: number): SmallDisk | { readonly reason: string } {
  if (process.platform !== "linux") return { reason: "a small file system is mounted on Linux only" };
  const folder = temporaryFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    return { reason: `mounting a small file system failed: ${String(error).split("\n").at(-1)}` };
  }
  onTestFinished(() => void execFileSync("umount", [folder]));
  const ballast = join(folder, "ballast");
  return {
    folder,
    fill() {
      const file = openSync(ballast, "a");
      try {
        while (writeSync(file, CHUNK) > 0);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast),
  };
}
