/** What the documents name exists: files, scripts, versions, the rules of who may import whom. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { blockWith, quotedIn, readDocument, sectionOf, tableOf, documentsUnder } from "../support/readme.ts";

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readDocument("package.json")) as Manifest;
const contributing = readDocument("CONTRIBUTING.md");
const readme = readDocument("README.md");
const project = new URL("../../", import.meta.url);

const isMissing = (path: string): boolean => !existsSync(fileURLToPath(new URL(path, project)));

test("every npm script that a document names is there", () => {
  const named = `${readme}${contributing}${readDocument("CHANGELOG.md")}`.matchAll(
    /npm run ([\w:-]+)|npm (start|test)\b/g,
  );
  const unknown = [...named].map(([, run, short]) => run ?? short ?? "").filter((name) => !(name in manifest.scripts));
  expect(unknown).toEqual([]);
});

test("every source and test file that a document names is there", () => {
  const paths = [...quotedIn(readme), ...quotedIn(contributing)].flatMap(
    (text) => /(?<![\w-])(src|test|crash-test)\/[\w./-]*/.exec(text)?.[0] ?? [],
  );
  expect(paths.length).toBeGreaterThan(30);
  expect(paths.filter(isMissing)).toEqual([]);
});

test("every link from one document to another leads somewhere", () => {
  const names = [
    "README.md",
    "CONTRIBUTING.md",
    "bench/README.md",
    "test/clients/README.md",
    ...documentsUnder("docs"),
  ];
  const links = names.flatMap((from) =>
    [...readDocument(from).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(([, path = "", anchor]) => {
      return {
        from,
        to: path === "" ? from : new URL(path, new URL(from, project)).href.replace(project.href, ""),
        anchor,
      };
    }),
  );
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter(({ to }) => isMissing(to))).toEqual([]);
  const lost = links.filter(({ to, anchor }) => anchor !== undefined && !anchorsIn(readDocument(to)).includes(anchor));
  expect(lost).toEqual([]);
});

/** As GitHub makes them of headings. */
function anchorsIn(document: string): readonly string[] {
  return [...document.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("the layout names what is there", () => {
  const paths = blockWith(sectionOf(readme, "Layout"), "text", "src/").trimEnd().split("\n");
  expect(paths).toHaveLength(13);
  expect(paths.map((line) => line.split(" ")[0]!).filter(isMissing)).toEqual([]);
});

test("who may import whom is what the architecture test says", () => {
  const rules = /MAY_IMPORT[^=]*= \{([^]*?)\n\};/.exec(readDocument("test/architecture.test.ts"))?.[1] ?? "";
  const enforced = [...rules.matchAll(/^ {2}"?([\w.-]+)"?: \[(.*)\]/gm)].map(([, folder = "", allowed = ""]) => {
    return [folder, [...allowed.matchAll(/"([^"]+)"/g)].map(([, name]) => name)] as const;
  });
  const bare = (cell: string): readonly string[] => quotedIn(cell).map((path) => path.replace("src/", ""));
  const told = tableOf(sectionOf(contributing, "Where things live")).map(
    ([path, , allowed]) => [bare(path!)[0], bare(allowed!)] as const,
  );
  const roots = new Set(["app", "cli"]);
  expect(Object.fromEntries(told.filter(([folder]) => !roots.has(folder ?? "")))).toEqual(Object.fromEntries(enforced));
  expect(enforced.length).toBe(11);
});

test("the changelog, the licence and the pinned versions agree with package.json", () => {
  expect(readDocument("CHANGELOG.md")).toMatch(new RegExp(`^## ${manifest.version.replaceAll(".", "\\.")}\\b`, "m"));
  expect(readDocument("LICENSE").startsWith(`${manifest.license} License`)).toBe(true);
  for (const tool of ["oxlint", "oxfmt", "oxlint-tsgolint"]) {
    expect(contributing).toContain(`${tool} ${manifest.devDependencies[tool]}`);
  }
});

test("every decision is dated and says what would change our mind", () => {
  const decisions = sectionOf(contributing, "Decisions").split(/^### /m).slice(1);
  expect(decisions.length).toBeGreaterThan(10);
  for (const decision of decisions) expect(decision).toMatch(/^\d{4}-\d\d-\d\d: [^]*\*Would\s+change\s+our\s+mind:\*/);
});
