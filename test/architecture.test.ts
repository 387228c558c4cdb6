import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseAst } from "vitest/node";

const src = fileURLToPath(new URL("../src", import.meta.url));

/** Which folder may import which (CONTRIBUTING.md, "Where things live"): its own files, and these folders. Adapters never import one another. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  runtime: ["service"],
  config: ["domain"],
  service: ["domain"],
  delivery: ["domain", "service"],
  maintenance: ["domain", "service"],
  inbound: ["service"],
  outbound: ["domain", "runtime", "service"],
  tasks: ["domain", "service"],
  store: ["domain", "service"],
  mcp: ["domain", "inbound", "service"],
  http: ["domain", "inbound", "service"],
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
  re2js: ["tasks"],
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
    "domain/digest.ts imports node:crypto",
    "domain/ids.ts imports node:crypto",
    "domain/signature.ts imports node:crypto",
    "domain/signing-keys.ts imports node:crypto",
  ]);
});

test("cryptography stays in the few files that are about it", () => {
  const users = imports.filter(({ target }) => target === "node:crypto").map(({ from }) => from);
  expect(users.toSorted()).toEqual([
    "config/certificates.ts",
    "domain/digest.ts",
    "domain/ids.ts",
    "domain/signature.ts",
    "domain/signing-keys.ts",
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

const FUNCTION_LINES_MAX = 40;

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly id?: { readonly name: string } | null;
}

/**
 * The functions of a file with more lines of code than that. A function inside counts by itself, not for the one around it, so that a
 * factory counts by what it does beside making functions.
 */
function longFunctionsIn(file: string): readonly string[] {
  const text = readFileSync(join(src, file), "utf8");
  const lineOf = lineFinder(text);
  const long: string[] = [];
  const codeLines = new Set(
    text.split("\n").flatMap((line, index) => (/^\s*($|\/\/|\/\*|\*)/.test(line) ? [] : [index])),
  );

  /** Returns the lines of all functions within. */
  function visit(node: unknown): ReadonlySet<number> {
    if (typeof node !== "object" || node === null) return new Set();
    const inner = new Set<number>();
    for (const child of Object.values(node)) for (const line of visit(child)) inner.add(line);
    if (!isFunction(node)) return inner;
    const [first, last] = [lineOf(node.start), lineOf(node.end - 1)];
    const lines = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const own = lines.filter((line) => codeLines.has(line) && !inner.has(line));
    if (own.length > FUNCTION_LINES_MAX)
      long.push(`${file}:${first + 1} ${node.id?.name ?? "a function"} has ${own.length} lines`);
    return last > first ? new Set(lines) : inner;
  }
  visit(parseAst(text, { lang: "ts" }));
  return long;
}

function isFunction(node: object): node is Node {
  return "type" in node && /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(String(node.type));
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => starts.findLastIndex((start) => start <= offset);
}

test(`no function has more than ${FUNCTION_LINES_MAX} lines of code`, () => {
  expect(globSync("**/*.ts", { cwd: src }).flatMap(longFunctionsIn)).toEqual([]);
});
