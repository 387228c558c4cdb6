/** Keeps what V8 compiles, so that the next start need not. */
import { mkdirSync, statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

const OTHERS_MAY_WRITE = 0o022;
/** In a folder such as /tmp, others may add files and not replace ours. */
const STICKY = 0o1000;

/**
 * Uses a folder below the user's cache folder, or the one that NODE_COMPILE_CACHE names. What is read from it is run, so it must be one
 * that nobody else can write to. Without such a folder the start is only slower: never throws.
 */
export function keepCompiledCode(env: NodeJS.ProcessEnv): void {
  try {
    const folder = join(cacheHome(env["XDG_CACHE_HOME"]), "mcp-callbacks", "compiled");
    if (env["NODE_COMPILE_CACHE"] === undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (env["NODE_COMPILE_CACHE"] !== undefined || isPrivate(folder)) enableCompileCache(folder);
  } catch {
    // No home, a full disk, a folder that is a file.
  }
}

/** The XDG specification wants a relative path to be ignored. */
function cacheHome(named: string | undefined): string {
  return named !== undefined && isAbsolute(named) ? named : join(homedir(), ".cache");
}

/** Whoever may write to a folder above it could put another in its place. */
function isPrivate(folder: string): boolean {
  const own = process.getuid?.();
  if (own === undefined) return true;
  const { uid, mode } = statSync(folder);
  const isSafe = (uid === own || uid === 0) && ((mode & OTHERS_MAY_WRITE) === 0 || (mode & STICKY) !== 0);
  return isSafe && (dirname(folder) === folder || isPrivate(dirname(folder)));
}
