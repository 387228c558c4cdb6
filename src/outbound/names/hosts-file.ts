import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";

export type AddressFamily = 4 | 6;

export interface ResolvedAddress {
  readonly address: string;
  readonly family: AddressFamily;
}

export interface HostsFile {
  /** What the file says of a name (lower case, no trailing dot), in its order; empty: nothing. */
  addressesOf(name: string): readonly ResolvedAddress[];
}

/** `/etc/hosts`, which `getaddrinfo` reads before it asks a name server and c-ares' queries do not read. It is read again when it has changed. */
export function createHostsFile(path: string): HostsFile {
  const entries = createFileCache(path, parseHosts);
  return { addressesOf: (name) => entries()?.get(name) ?? [] };
}

/** Where this system keeps the file. */
export function systemHostsFile(): string {
  const windows = process.env["SystemRoot"] ?? String.raw`C:\Windows`;
  return process.platform === "win32" ? String.raw`${windows}\System32\drivers\etc\hosts` : "/etc/hosts";
}

/** The parsed file, read again when its size, time or inode has changed. Undefined: it cannot be read. */
export function createFileCache<T>(path: string, parse: (text: string) => T): () => T | undefined {
  let version: string | undefined;
  let value: T | undefined;
  return () => {
    try {
      const { mtimeMs, size, ino } = statSync(path);
      const found = `${mtimeMs} ${size} ${ino}`;
      if (found !== version) {
        value = parse(readFileSync(path, "utf8"));
        version = found;
      }
    } catch {
      version = undefined;
      value = undefined;
    }
    return value;
  };
}

function parseHosts(text: string): ReadonlyMap<string, readonly ResolvedAddress[]> {
  const entries = new Map<string, ResolvedAddress[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const family = isIP(address);
    if (family !== 4 && family !== 6) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      entries.set(key, [...(entries.get(key) ?? []), { address, family }]);
    }
  }
  return entries;
}
