import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Who may import whom (CONTRIBUTING.md, "Where things live"): a room's own files, and these. Adapters never import one another. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  service: ["domain"],
  delivery: ["domain", "service", "on-abort.ts"],
  "task-runner": ["domain", "service"],
  "task-modules": ["domain", "service"],
  store: ["domain", "service"],
  upstream: ["domain", "service"],
  mcp: ["domain", "service", "origin-policy.ts", "request-body.ts"],
  http: ["domain", "service", "origin-policy.ts", "request-body.ts"],
  observability: ["domain", "service"],
  "certificates.ts": ["setting-parsers.ts"],
  "clock.ts": ["service", "on-abort.ts"],
  "compile-cache.ts": [],
  "node-version.ts": [],
  "config.ts": ["domain", "certificates.ts", "setting-parsers.ts", "upstream-settings.ts"],
  "lifecycle.ts": [],
  "on-abort.ts": [],
  "origin-policy.ts": ["service"],
  "request-body.ts": [],
  "setting-parsers.ts": ["domain"],
  "upstream-secrets.ts": [],
  "upstream-settings.ts": ["domain", "upstream-secrets.ts"],
  "cli.ts": ["compile-cache.ts", "main.ts"],
};

/** The composition root: what puts the rooms together, and may know all of them. */
const ROOTS: ReadonlySet<string> = new Set(["main.ts", "foundation.ts", "inside.ts", "house.ts", "services.ts"]);

/** Where each package may be imported. zod is what every door parses with. */
const CONFINED: Readonly<Record<string, readonly string[]>> = {
  "better-sqlite3": ["store"],
  "drizzle-orm": ["store"],
  koa: ["http"],
  "@koa/router": ["http"],
  "@modelcontextprotocol/client": ["upstream"],
  "@modelcontextprotocol/sdk": ["mcp"],
  "@modelcontextprotocol/server": ["mcp"],
  "@modelcontextprotocol/node": ["mcp"],
  "p-retry": ["delivery"],
  undici: ["delivery", "upstream"],
  pino: ["observability"],
  zod: ["http", "mcp", "task-modules", "task-runner", "upstream-settings.ts"],
};

interface Import {
  readonly from: string;
  readonly room: string;
  readonly target: string;
}

const imports: readonly Import[] = globSync("**/*.ts", { cwd: src }).flatMap((file) => {
  const text = readFileSync(join(src, file), "utf8");
  const targets = [
    ...text.matchAll(/^(?:import|export) [^;()"]*\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm),
  ].map((match) => match[1] ?? match[2] ?? match[3]!);
  return targets.map((target) => ({ from: file, room: roomOf(file), target }));
});

const ours = imports
  .filter(({ target }) => target.startsWith("."))
  .map(({ from, room, target }) => ({
    from,
    room,
    target: relative(src, normalize(join(src, dirname(from), target))),
  }));
const others = imports.filter(({ target }) => !target.startsWith(".") && !target.startsWith("node:"));

function roomOf(file: string): string {
  return file.split("/")[0]!;
}

function packageOf(target: string): string {
  return target.split("/", target.startsWith("@") ? 2 : 1).join("/");
}

test("a room imports only what it may", () => {
  const broken = ours
    .filter(
      ({ room, target }) =>
        !ROOTS.has(room) && room !== roomOf(target) && !(MAY_IMPORT[room] ?? []).includes(roomOf(target)),
    )
    .map(({ from, target }) => `${from} imports ${target}`);
  expect(broken).toEqual([]);
  expect(ours.length).toBeGreaterThan(100);
});

/** What is imported at once, when this file is. */
function loadedWith(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(join(src, file), "utf8");
  for (const [, target = ""] of text.matchAll(/^(?:import|export) (?!type )[^;()"]*\bfrom "([^"]+)"/gm)) {
    if (target.startsWith(".")) loadedWith(relative(src, normalize(join(src, dirname(file), target))), found);
    else found.add(packageOf(target));
  }
  return found;
}

test("what /health does not need is loaded once the port is open", () => {
  const packages = Object.keys(CONFINED).filter((name) => loadedWith("main.ts").has(name));
  expect(packages).toEqual(["better-sqlite3", "pino"]);
  expect(loadedWith("inside.ts")).toContain("koa");
  expect([...loadedWith("inside.ts")].filter((file) => file.startsWith("mcp/"))).toEqual([]);
});

test("every room is known here", () => {
  const rooms = new Set(globSync("**/*.ts", { cwd: src }).map(roomOf));
  expect([...rooms].toSorted()).toEqual([...Object.keys(MAY_IMPORT), ...ROOTS].toSorted());
});

test("the domain imports nothing from outside, but crypto for ids and signatures", () => {
  const outside = imports.filter(({ room, target }) => room === "domain" && !target.startsWith("."));
  expect(outside.map(({ from, target }) => `${from} imports ${target}`).toSorted()).toEqual([
    "domain/ids.ts imports node:crypto",
    "domain/signature.ts imports node:crypto",
    "domain/signing-keys.ts imports node:crypto",
  ]);
});

test("cryptography stays in the few files that are about it", () => {
  const users = imports.filter(({ target }) => target === "node:crypto").map(({ from }) => from);
  expect(users.toSorted()).toEqual([
    "certificates.ts",
    "delivery/challenger.ts",
    "domain/ids.ts",
    "domain/signature.ts",
    "domain/signing-keys.ts",
    "service/principals.ts",
    "store/secret-cipher.ts",
  ]);
});

test("each package stays in its room", () => {
  const broken = others
    .filter(({ room, target }) => !(CONFINED[packageOf(target)] ?? []).includes(room))
    .map(({ from, target }) => `${from} imports ${target}`);
  expect(broken).toEqual([]);
});

test("no file is over 250 lines", () => {
  const long = globSync("**/*.ts", { cwd: src }).filter(
    (file) => readFileSync(join(src, file), "utf8").split("\n").length > 250,
  );
  expect(long).toEqual([]);
});
