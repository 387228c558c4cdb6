/** What the documents name exists: files, scripts, links, versions; they have the size and the form that they should have. */
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { blockWith, documentsUnder, quotedIn, readDocument, sectionOf, tableOf } from "../support/readme.ts";

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readDocument("package.json")) as Manifest;
const contributing = readDocument("CONTRIBUTING.md");
const project = new URL("../../", import.meta.url);
const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "bench/README.md",
  ...documentsUnder("bench/adr"),
  "test/clients/README.md",
  ...documentsUnder("docs"),
  ...documentsUnder("examples"),
];
/** Records of decisions keep the names of their day. */
const CURRENT = DOCUMENTS.filter((name) => !/\/adr\/\d/.test(name));
const BYTES_MAX = 8192;

const isMissing = (path: string): boolean => !existsSync(fileURLToPath(new URL(path, project)));

test.each(["README.md", "CONTRIBUTING.md"])("%s has at most 8 kB", (name) => {
  expect(statSync(fileURLToPath(new URL(name, project))).size).toBeLessThanOrEqual(BYTES_MAX);
});

test("every npm script that a document names is there", () => {
  const named = CURRENT.map(readDocument)
    .join("\n")
    .matchAll(/npm run ([\w:-]+)|npm (start|test)\b/g);
  const unknown = [...named].map(([, run, short]) => run ?? short ?? "").filter((name) => !(name in manifest.scripts));
  expect(unknown).toEqual([]);
});

test("every source and test file that a document names is there", () => {
  const paths = CURRENT.flatMap((name) => quotedIn(readDocument(name))).flatMap(
    (text) => /(?<![\w/-])(src|test|crash-test|bench|docs|examples)\/[\w./-]*/.exec(text)?.[0] ?? [],
  );
  expect(paths.length).toBeGreaterThan(30);
  expect(paths.filter((path) => path !== "bench/results/" && isMissing(path))).toEqual([]);
});

test("pages in docs link to docs and examples only, which are in the published package too", () => {
  const outside = documentsUnder("docs").flatMap((from) =>
    linksIn(from).filter(({ to }) => !/^(docs|examples)\//.test(to)),
  );
  expect(outside).toEqual([]);
});

test("every link from one document to another leads somewhere", () => {
  const links = DOCUMENTS.flatMap(linksIn);
  expect(links.length).toBeGreaterThan(100);
  expect(links.filter(({ to }) => isMissing(to))).toEqual([]);
  const lost = links.filter(({ to, anchor }) => anchor !== undefined && !anchorsIn(readDocument(to)).includes(anchor));
  expect(lost).toEqual([]);
});

function linksIn(from: string) {
  return [...readDocument(from).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)/g)].map(([, path = "", anchor]) => {
    const to = path === "" ? from : new URL(path, new URL(from, project)).href.replace(project.href, "");
    return { from, to, anchor };
  });
}

/** As GitHub makes them of headings. */
function anchorsIn(document: string): readonly string[] {
  return [...document.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("the index has every page", () => {
  const index = readDocument("docs/README.md");
  const linked = [...index.matchAll(/\]\(([^)#]*)/g)].map(([, path = ""]) => `docs/${path}`);
  const pages = documentsUnder("docs").filter(
    (name) => !/^docs\/(README\.md|connect\/(?!README)|adr\/(?!README))/.test(name),
  );
  expect(linked.toSorted()).toEqual(pages.toSorted());
});

const ADR_FOLDERS = ["docs/adr", "bench/adr"];
const recordsIn = (folder: string): readonly string[] =>
  documentsUnder(folder).filter((name) => !name.endsWith("README.md"));

test.each(ADR_FOLDERS)("the index of %s has every record", (folder) => {
  const index = readDocument(`${folder}/README.md`);
  const linked = [...index.matchAll(/\]\((\d[^)]*)\)/g)].map(([, path]) => `${folder}/${path}`);
  expect(linked).toEqual(recordsIn(folder).toSorted());
});

test.each(ADR_FOLDERS.flatMap(recordsIn))(
  "%s has a number, a status, a date, a context, a decision, and what would change our mind",
  (name) => {
    const [, number] = /(\d{4})-/.exec(name) ?? [];
    const status = String.raw`(Accepted|Superseded by \[\d{4}\]\(.+\)), \d{4}-\d\d-\d\d\.`;
    const sections = String.raw`## Context\n\n[^]+\n\n## Decision\n\n[^]+\n\n## What would change our mind\n\n[^]+$`;
    expect(readDocument(name)).toMatch(new RegExp(`^# ${number}: .+\n\n${status}\n\n${sections}`));
  },
);

test("every promise names a test that is there", () => {
  const rows = tableOf(readDocument("docs/guarantees.md"));
  expect(rows.length).toBeGreaterThan(12);
  for (const [promise, tests = ""] of rows) {
    const files = quotedIn(tests);
    expect([promise, files.length > 0 && files.every((file) => /^test\/.*\.ts$/.test(file))]).toEqual([promise, true]);
    expect(files.filter(isMissing)).toEqual([]);
  }
});

test("the layout names what is there", () => {
  const lines = blockWith(sectionOf(readDocument("docs/architecture.md"), "Folders"), "text", "src/")
    .trimEnd()
    .split("\n");
  expect(lines).toHaveLength(15);
  expect(lines.map((line) => line.split(" ")[0]!).filter(isMissing)).toEqual([]);
});

test("which folder may import which is what the architecture test says", () => {
  const rules = /MAY_IMPORT[^=]*= \{([^]*?)\n\};/.exec(readDocument("test/architecture.test.ts"))?.[1] ?? "";
  const enforced = [...rules.matchAll(/^ {2}"?([\w.-]+)"?: \[(.*)\]/gm)].map(([, folder = "", allowed = ""]) => {
    return [folder, [...allowed.matchAll(/"([^"]+)"/g)].map(([, name]) => name)] as const;
  });
  const bare = (cell: string): readonly string[] => quotedIn(cell).map((path) => path.replace("src/", ""));
  const stated = tableOf(sectionOf(readDocument("docs/architecture.md"), "Folders")).map(
    ([folder, allowed]) => [bare(folder!)[0], bare(allowed!)] as const,
  );
  expect(Object.fromEntries(stated.filter(([folder]) => folder !== "app"))).toEqual(Object.fromEntries(enforced));
  expect(enforced.length).toBeGreaterThan(10);
});

test("the changelog, the licence and the pinned versions agree with package.json", () => {
  expect(readDocument("CHANGELOG.md")).toMatch(new RegExp(`^## ${manifest.version.replaceAll(".", "\\.")}\\b`, "m"));
  expect(readDocument("LICENSE").startsWith(`${manifest.license} License`)).toBe(true);
  for (const tool of ["oxlint", "oxfmt", "oxlint-tsgolint"]) {
    expect(contributing).toContain(`${tool} ${manifest.devDependencies[tool]}`);
  }
});
