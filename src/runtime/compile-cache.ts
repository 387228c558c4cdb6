import { mkdirSync, statSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

const WRITABLE_BY_OTHERS = 0o022;
/** In a folder such as /tmp, other users may add files and cannot replace ours. */
const STICKY = 0o1000;

/**
 * Keeps the code that V8 compiles for the next start: in the user's cache folder, or in the folder that NODE_COMPILE_CACHE names. The next
 * start runs that code, so no other user may be able to write to the folder. Without such a folder the start is slower. Never throws.
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

/** The XDG Base Directory Specification: a relative path must be ignored. */
function cacheHome(named: string | undefined): string {
  return named !== undefined && isAbsolute(named) ? named : join(homedir(), ".cache");
}

/** A user with write access to a parent folder could replace the folder, so each parent is checked. */
function isPrivate(folder: string): boolean {
  const own = process.getuid?.();
  if (own === undefined) return true;
  const { uid, mode } = statSync(folder);
  const isSafe = (uid === own || uid === 0) && ((mode & WRITABLE_BY_OTHERS) === 0 || (mode & STICKY) !== 0);
  return isSafe && (dirname(folder) === folder || isPrivate(dirname(folder)));
}
