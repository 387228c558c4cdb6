// Makes the package to publish in `package/`: the bundle, its types, the migrations, and its manifest.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { bundle } from "./bundle.ts";

const OUT = "package";
/** Only in the published manifest. A checkout installs its own Node, and npm itself may run under an older one. */
const ENGINES = { node: ">=24" };

await bundle({ out: OUT, manifest: publishedManifest() });

execFileSync(
  "tsc",
  [
    "--noEmit",
    "false",
    "--emitDeclarationOnly",
    "--declaration",
    "--outDir",
    `${OUT}/dist`,
    "--rootDir",
    "src",
    "-p",
    "tsconfig.build.json",
  ],
  { stdio: "inherit" },
);

for (const name of ["README.md", "CHANGELOG.md", "LICENSE"]) {
  if (existsSync(name)) cpSync(name, `${OUT}/${name}`, { recursive: true });
}

/** Without the dependency on Node (its binary would run the user's npm scripts) and without the packages in the bundle. */
function publishedManifest(): Record<string, unknown> {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<string, unknown> & {
    dependencies: Record<string, string>;
  };
  const { name, version, description, keywords, license, type, dependencies } = manifest;
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
      ".": { types: "./dist/app/app.d.ts", default: "./dist/app.js" },
      "./tasks": { types: "./dist/tasks/modules/define-task.d.ts", default: "./dist/tasks.js" },
    },
    dependencies: { "better-sqlite3": dependencies["better-sqlite3"], zod: dependencies["zod"] },
  };
}
