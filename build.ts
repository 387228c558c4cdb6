// Makes the package to publish, in `package/`: the bundle, its types, the migrations, and a manifest of its own.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

const OUT = "package";

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);

await build({
  // cli.ts imports main.ts dynamically: with splitting it stays a small guard that an old Node can read.
  entryPoints: ["src/cli.ts", "src/main.ts", "src/task-modules/define-task.ts", "src/task-runner/watchdog-thread.ts"],
  outdir: `${OUT}/dist`,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  // The one brings its own native binary, the other is what task modules make their schemas with: there must be one copy of it.
  external: ["better-sqlite3", "zod"],
  // Bundled CommonJS modules call require for Node's own.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  legalComments: "linked",
  plugins: [drizzleAsModules()],
});

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

for (const name of ["migrations", "README.md", "CHANGELOG.md", "LICENSE"]) {
  if (existsSync(name)) cpSync(name, `${OUT}/${name}`, { recursive: true });
}
writeFileSync(`${OUT}/package.json`, `${JSON.stringify(publishedManifest(), null, 2)}\n`);

/** In the bundle nothing is looked up at the start, so drizzle.ts need not be clever there, and only what is used gets in. */
function drizzleAsModules(): Plugin {
  const modules = ["", "/sqlite-core", "/better-sqlite3", "/better-sqlite3/migrator"];
  return {
    name: "drizzle-as-modules",
    setup(bundler) {
      bundler.onLoad({ filter: /store\/sqlite\/drizzle\.ts$/ }, () => ({
        contents: modules.map((path) => `export * from "drizzle-orm${path}";`).join("\n"),
        resolveDir: import.meta.dirname,
      }));
    },
  };
}

/** Without our Node (it would get into the user's npm scripts) and without what the bundle holds already. */
function publishedManifest(): Record<string, unknown> {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<string, unknown> & {
    dependencies: Record<string, string>;
  };
  const { name, version, description, keywords, license, type, engines, dependencies } = manifest;
  return {
    name,
    version,
    description,
    keywords,
    license,
    type,
    engines,
    bin: { "mcp-callbacks": "dist/cli.js" },
    exports: {
      ".": { types: "./dist/main.d.ts", default: "./dist/main.js" },
      "./tasks": { types: "./dist/task-modules/define-task.d.ts", default: "./dist/task-modules/define-task.js" },
    },
    dependencies: { "better-sqlite3": dependencies["better-sqlite3"], zod: dependencies["zod"] },
  };
}
