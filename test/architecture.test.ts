import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Which folder may import which (CONTRIBUTING.md, "Where things live"): its own files, and these folders. Adapters never import one another. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  runtime: ["domain", "service"],
  config: ["domain"],
  service: ["domain"],
  delivery: ["domain", "runtime", "service"],
  outbound: ["domain", "runtime", "service"],
  tasks: ["domain", "service"],
  store: ["domain", "service"],
  mcp: ["domain", "runtime", "service"],
  http: ["domain", "runtime", "service"],
  observability: ["domain", "service"],
};

/** The composition root and what starts it: they put the folders together, and may import all of them. */
const ROOTS: ReadonlySet<string> = new Set(["app", "cli"]);

/** Where each package may be imported. zod is what every door parses with. */
const CONFINED: Readonly<Record<string, readonly string[]>> = {
  "better-sqlite3": ["store"],
  "drizzle-orm": ["store"],
  koa: ["http"],
  "@koa/router": ["http"],
  "@modelcontextprotocol/client": ["tasks"],
  "@modelcontextprotocol/sdk": ["mcp"],
  "@modelcontextprotocol/server": ["mcp"],
  "@modelcontextprotocol/node": ["mcp"],
  "p-retry": ["delivery"],
  undici: ["outbound", "tasks"],
  pino: ["observability"],
  zod: ["config", "http", "mcp", "tasks"],
};

interface Import {
  readonly from: string;
  readonly folder: string;
  readonly target: string;
}

const imports: readonly Import[] = globSync("**/*.ts", { cwd: src }).flatMap((file) => {
  const text = readFileSync(join(src, file), "utf8");
  const targets = [
    ...text.matchAll(/^(?:import|export) [^;()"]*\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm),
  ].map((match) => match[1] ?? match[2] ?? match[3]!);
  return targets.map((target) => ({ from: file, folder: folderOf(file), target }));
});

const ours = imports
  .filter(({ target }) => target.startsWith("."))
  .map(({ from, folder, target }) => ({
    from,
    folder,
    target: relative(src, normalize(join(src, dirname(from), target))),
  }));
const others = imports.filter(({ target }) => !target.startsWith(".") && !target.startsWith("node:"));

function folderOf(file: string): string {
  return file.split("/")[0]!;
}

function packageOf(target: string): string {
  return target.split("/", target.startsWith("@") ? 2 : 1).join("/");
}

test("a folder imports only what it may", () => {
  const broken = ours
    .filter(
      ({ folder, target }) =>
        !ROOTS.has(folder) && folder !== folderOf(target) && !(MAY_IMPORT[folder] ?? []).includes(folderOf(target)),
    )
    .map(({ from, target }) => `${from} imports ${target}`);
  expect(broken).toEqual([]);
  expect(ours.length).toBeGreaterThan(100);
});

test("every folder is known here, and no file lies loose", () => {
  const folders = new Set(globSync("**/*.ts", { cwd: src }).map(folderOf));
  expect([...folders].toSorted()).toEqual([...Object.keys(MAY_IMPORT), ...ROOTS].toSorted());
});

test("the domain imports nothing from outside, but crypto for ids and signatures", () => {
  const outside = imports.filter(({ folder, target }) => folder === "domain" && !target.startsWith("."));
  expect(outside.map(({ from, target }) => `${from} imports ${target}`).toSorted()).toEqual([
    "domain/ids.ts imports node:crypto",
    "domain/signature.ts imports node:crypto",
    "domain/signing-keys.ts imports node:crypto",
  ]);
});

test("cryptography stays in the few files that are about it", () => {
  const users = imports.filter(({ target }) => target === "node:crypto").map(({ from }) => from);
  expect(users.toSorted()).toEqual([
    "config/certificates.ts",
    "domain/ids.ts",
    "domain/signature.ts",
    "domain/signing-keys.ts",
    "outbound/endpoint-verifier.ts",
    "service/principals.ts",
    "store/secret-cipher.ts",
  ]);
});

test("each package stays in its folder", () => {
  const broken = others
    .filter(({ folder, target }) => !(CONFINED[packageOf(target)] ?? []).includes(folder))
    .map(({ from, target }) => `${from} imports ${target}`);
  expect(broken).toEqual([]);
});

test("no file is over 250 lines", () => {
  const long = globSync("**/*.ts", { cwd: src }).filter(
    (file) => readFileSync(join(src, file), "utf8").split("\n").length > 250,
  );
  expect(long).toEqual([]);
});
