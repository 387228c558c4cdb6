/** `npm run build`: makes the package to publish, in `package/`, and says what to do next. `node build.ts <folder>` makes it elsewhere. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { bundle } from "./bundle.ts";
import { thirdPartyNotices } from "./third-party.ts";

const root = import.meta.dirname;
const out = process.argv[2] ?? join(root, "package");
/** Only in the published manifest: a checkout brings its own Node, whatever Node runs npm. */
const ENGINES = { node: ">=24" };
/** How a document says a thing in a checkout, and in the package. */
const IN_THE_PACKAGE = [
  ["npm run db:migrate", "npx mcp-callbacks migrate"],
  ["node_modules/.bin/node src/cli/main.ts", "node_modules/.bin/mcp-callbacks"],
  ["npm start", "npx mcp-callbacks"],
] as const;

const manifest = publishedManifest();
const inputs = await bundle({ out, manifest });

cpSync(join(root, "published/app.d.ts"), join(out, "dist/app.d.ts"));
cpSync(join(root, "published/tasks.d.ts"), join(out, "dist/tasks.d.ts"));
cpSync(join(root, "published/README.md"), join(out, "README.md"));
for (const name of ["CHANGELOG.md", "LICENSE"]) cpSync(join(root, name), join(out, name));
for (const folder of ["docs", "examples"]) copyTexts(folder);
const notices = thirdPartyNotices(root, inputs);
writeFileSync(join(out, "THIRD-PARTY-NOTICES"), notices.text);

const shown = relative(process.cwd(), out) || ".";
const tarball = `${manifest.name}-${manifest.version}.tgz`;
console.log(`${shown}: ${manifest.name} ${manifest.version}, ${megabytes(out)} MB, with code of ${notices.count} packages.

Next:
  npm pack ./${shown}    makes ${tarball}
  npx --package=./${tarball} ${manifest.name}    starts the server from it (Node 24 or newer)
  npm publish ./${shown}    publishes it`);

/** Without our Node (it would get into the user's npm scripts) and without what the bundle holds already. */
function publishedManifest() {
  const { name, version, description, keywords, license, type, dependencies } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  ) as Record<"name" | "version" | "description" | "license" | "type", string> & {
    readonly keywords: readonly string[];
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return {
    name,
    version,
    description,
    keywords,
    license,
    type,
    engines: ENGINES,
    bin: { "mcp-callbacks": "dist/cli.js" },
    exports: {
      ".": { types: "./dist/app.d.ts", default: "./dist/app.js" },
      "./tasks": { types: "./dist/tasks.d.ts", default: "./dist/tasks.js" },
    },
    files: ["dist", "migrations", "docs", "examples", "CHANGELOG.md", "THIRD-PARTY-NOTICES"],
    dependencies: { "better-sqlite3": dependencies["better-sqlite3"], zod: dependencies["zod"] },
  };
}

/** Pages and examples, whose commands then hold in the package. What generates the pages stays here. */
function copyTexts(folder: string): void {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  for (const name of names.filter((each) => /\.\w+$/.test(each) && !/^(generate|reference)\.ts$/.test(each))) {
    const text = readFileSync(join(root, folder, name), "utf8");
    const there = IN_THE_PACKAGE.reduce((given, [here, other]) => given.replaceAll(here, other), text);
    mkdirSync(dirname(join(out, folder, name)), { recursive: true });
    writeFileSync(join(out, folder, name), there);
  }
}

function megabytes(path: string): string {
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => statSync(join(path, name)));
  return (files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0) / 1e6).toFixed(1);
}
